// The entry point of the command line.

import Foundation
import KafkaClient

@main
enum Main {
    static func main() async {
        var tool = Tool.troupe
        tool.environment = ProcessInfo.processInfo.environment
        let console = Console.standard(environment: tool.environment)
        let task = Task { [tool] in await tool.run(Array(CommandLine.arguments.dropFirst()), console) }
        Interruption.cancel(task)
        exit(await task.value.rawValue)
    }
}

extension Tool {
    /// The tool with all its commands.
    static let troupe = Tool(
        commands: [
            BrokerCommand.self, DeadLetterListCommand.self, DeadLetterShowCommand.self, DeadLetterReplayCommand.self,
            DemoCommand.self, TopicsListCommand.self, TopicsDescribeCommand.self, TopicsCreateCommand.self,
            TopicsDeleteCommand.self, TopicsPlanCommand.self, TopicsApplyCommand.self, TailCommand.self,
            PublishCommand.self, LagCommand.self, TrackCommand.self, FlowListCommand.self, FlowShowCommand.self,
            FlowFollowCommand.self, DashboardCommand.self, ServicesListCommand.self, ServicesShowCommand.self,
            GraphCommand.self, AsyncAPICommand.self, NewCommand.self, DoctorCommand.self, BenchCommand.self,
            CompletionCommand.self,
        ], version: "troupe 0.1.0, librdkafka \(LibrdkafkaVersion.current)")
}
