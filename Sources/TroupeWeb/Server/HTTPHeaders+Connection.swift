// Reads the header fields that libmicrohttpd has parsed.

import CMicroHTTPD

extension HTTPHeaders {
    /// Copies the header fields of a request.
    init(of connection: ConnectionPointer) {
        self.init()
        withUnsafeMutablePointer(to: &self) { headers in
            _ = MHD_get_connection_values_n(
                connection.pointer, .HEADER_KIND,
                { headers, _, name, nameSize, value, valueSize in
                    let name = UnsafeRawBufferPointer(start: name, count: name == nil ? 0 : nameSize)
                    let value = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueSize)
                    headers?.assumingMemoryBound(to: HTTPHeaders.self).pointee
                        .append(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
                    return .YES
                }, headers)
        }
    }
}
