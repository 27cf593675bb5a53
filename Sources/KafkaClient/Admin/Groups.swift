// Consumer groups: list, describe, delete.

import CRDKafka

/// The state of a consumer group, as its coordinator says.
public enum GroupState: Sendable, Hashable {
    /// The coordinator did not say.
    case unknown
    /// Members are joining.
    case preparingRebalance
    /// Partitions are being handed out.
    case completingRebalance
    /// The members consume.
    case stable
    /// The group is gone.
    case dead
    /// The group has no members but still has offsets.
    case empty

    init(_ state: rd_kafka_consumer_group_state_t) {
        self =
            switch state {
            case RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE: .preparingRebalance
            case RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE: .completingRebalance
            case RD_KAFKA_CONSUMER_GROUP_STATE_STABLE: .stable
            case RD_KAFKA_CONSUMER_GROUP_STATE_DEAD: .dead
            case RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY: .empty
            default: .unknown
            }
    }
}

/// A consumer group as a listing shows it.
public struct GroupListing: Sendable, Hashable {
    /// The group's name.
    public var group: String
    /// The group's state.
    public var state: GroupState
    /// Whether the group only keeps offsets, without members that join it.
    public var isSimple: Bool
}

/// A consumer group, its members and what each of them reads.
public struct GroupDescription: Sendable, Hashable {
    /// The group's name.
    public var group: String
    /// The group's state.
    public var state: GroupState
    /// The assignor the group agreed on.
    public var assignor: String
    /// The id of the broker that coordinates the group, where it is known.
    public var coordinator: Int32?
    /// The members.
    public var members: [GroupMember]
}

/// A member of a consumer group.
public struct GroupMember: Sendable, Hashable {
    /// The id the coordinator gave the member.
    public var memberID: String
    /// The member's client id.
    public var clientID: String
    /// The member's fixed name, if it has one.
    public var instanceID: String?
    /// The address the member connects from.
    public var host: String
    /// The partitions the member reads.
    public var partitions: [TopicPartition]
}

extension KafkaAdmin {
    /// Lists the cluster's consumer groups, sorted by name.
    ///
    /// - Throws: `KafkaError` when a broker fails to answer, `.unsupportedByEmbeddedBroker` on that one.
    public func listGroups(within timeout: Duration = defaultTimeout) async throws -> [GroupListing] {
        try await refuseOnEmbeddedBroker("list groups", within: timeout)
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, "Listing groups failed", within: timeout
        ) { client, options, queue in rd_kafka_ListConsumerGroups(client, options, queue) }
        guard let result = rd_kafka_event_ListConsumerGroups_result(answer.event) else { return [] }
        for error in resultItems({ rd_kafka_ListConsumerGroups_result_errors(result, $0) }) {
            throw KafkaError(reading: error, "Listing groups failed on a broker")
        }
        return resultItems { rd_kafka_ListConsumerGroups_result_valid(result, $0) }.map { listing in
            GroupListing(
                group: String(cString: rd_kafka_ConsumerGroupListing_group_id(listing)),
                state: GroupState(rd_kafka_ConsumerGroupListing_state(listing)),
                isSimple: rd_kafka_ConsumerGroupListing_is_simple_consumer_group(listing) != 0)
        }.sorted { $0.group < $1.group }
    }

    /// Describes groups, with a result for each.
    ///
    /// A group that does not exist is described as dead, without members.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func describeGroups(
        _ groups: [String], within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<GroupDescription, KafkaError>] {
        let groups = Set(groups).sorted()
        guard !groups.isEmpty else { return [:] }
        for group in groups { try Self.validate(group: group) }
        try await refuseOnEmbeddedBroker("describe groups", within: timeout)
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, "Describing groups failed", within: timeout
        ) { client, options, queue in
            withCStrings(groups) { rd_kafka_DescribeConsumerGroups(client, $0, $1, options, queue) }
        }
        guard let result = rd_kafka_event_DescribeConsumerGroups_result(answer.event) else { return [:] }
        var results: [String: Result<GroupDescription, KafkaError>] = [:]
        for item in resultItems({ rd_kafka_DescribeConsumerGroups_result_groups(result, $0) }) {
            let description = GroupDescription(item)
            let error = rd_kafka_ConsumerGroupDescription_error(item)
            if let error, rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR {
                results[description.group] = .failure(
                    KafkaError(reading: error, "Describing the group \(description.group) failed"))
            } else {
                results[description.group] = .success(description)
            }
        }
        return results
    }

    /// Deletes groups and their offsets, with a result for each.
    ///
    /// A group that has members cannot be deleted.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func deleteGroups(
        _ groups: [String], within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<Void, KafkaError>] {
        let groups = Set(groups).sorted()
        guard !groups.isEmpty else { return [:] }
        try await refuseOnEmbeddedBroker("delete groups", within: timeout)
        var objects = RequestObjects(destroy: rd_kafka_DeleteGroup_destroy)
        for group in groups {
            try Self.validate(group: group)
            if let object = rd_kafka_DeleteGroup_new(group) { objects.append(owning: object) }
        }
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_DELETEGROUPS, "Deleting groups failed", within: timeout
        ) { client, options, queue in
            objects.withArray { rd_kafka_DeleteGroups(client, $0, $1, options, queue) }
        }
        let items = resultItems { count in
            rd_kafka_event_DeleteGroups_result(answer.event).flatMap { rd_kafka_DeleteGroups_result_groups($0, count) }
        }
        var results: [String: Result<Void, KafkaError>] = [:]
        for item in items {
            let group = String(cString: rd_kafka_group_result_name(item))
            if let error = rd_kafka_group_result_error(item) {
                results[group] = .failure(KafkaError(reading: error, "Deleting the group \(group) failed"))
            } else {
                results[group] = .success(())
            }
        }
        return results
    }

    static func validate(group: String) throws(KafkaError) {
        if group.isEmpty { throw KafkaError(.invalidArgument, "A group's name must not be empty") }
        if group.contains("\0") { throw KafkaError(.invalidArgument, "A group's name must not contain NUL") }
    }
}

extension GroupDescription {
    fileprivate init(_ item: OpaquePointer) {
        group = String(cString: rd_kafka_ConsumerGroupDescription_group_id(item))
        state = GroupState(rd_kafka_ConsumerGroupDescription_state(item))
        assignor = rd_kafka_ConsumerGroupDescription_partition_assignor(item).map { String(cString: $0) } ?? ""
        coordinator = rd_kafka_ConsumerGroupDescription_coordinator(item).map { rd_kafka_Node_id($0) }
        members = (0..<rd_kafka_ConsumerGroupDescription_member_count(item)).compactMap { index in
            rd_kafka_ConsumerGroupDescription_member(item, index).map { GroupMember($0) }
        }
    }
}

extension GroupMember {
    fileprivate init(_ member: OpaquePointer) {
        func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
        memberID = text(rd_kafka_MemberDescription_consumer_id(member))
        clientID = text(rd_kafka_MemberDescription_client_id(member))
        instanceID = rd_kafka_MemberDescription_group_instance_id(member).map { String(cString: $0) }
        host = text(rd_kafka_MemberDescription_host(member))
        partitions = []
        if let assignment = rd_kafka_MemberDescription_assignment(member),
            let list = rd_kafka_MemberAssignment_partitions(assignment)
        {
            partitions = PartitionList(copying: list).partitions
        }
    }
}

extension KafkaError {
    /// Reads an error object that somebody else owns.
    init(reading error: OpaquePointer, _ happened: String) {
        self.init(
            Code(rd_kafka_error_code(error)), "\(happened): \(String(cString: rd_kafka_error_string(error)))",
            isRetriable: rd_kafka_error_is_retriable(error) != 0 || Code(rd_kafka_error_code(error)).isRetriable,
            isFatal: rd_kafka_error_is_fatal(error) != 0)
    }
}

/// Calls `body` with C strings, valid during the call.
private func withCStrings(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafePointer<CChar>?>?, Int) -> Void
) {
    // One buffer for all of them, so that no pointer outlives its string.
    let encoded = strings.map { Array($0.utf8CString) }
    encoded.flatMap { $0 }.withUnsafeBufferPointer { characters in
        var start = 0
        var pointers: [UnsafePointer<CChar>?] = encoded.map { string in
            defer { start += string.count }
            return characters.baseAddress.map { $0 + start }
        }
        pointers.withUnsafeMutableBufferPointer { body($0.baseAddress, $0.count) }
    }
}
