import Troupe
@main struct G { static func main() {} }
