// The keys of the service registry.

import Testing
import Troupe

@Suite struct RegistryKeyTests {
    @Test(arguments: [
        RegistryKey.declaration(service: "inventory", fingerprint: "00ff"),
        .instance(service: "inventory", instance: "host/1"),
    ])
    func aKeyIsReadFromItsText(_ key: RegistryKey) {
        #expect(RegistryKey(key.text) == key)
    }

    @Test(arguments: ["", "declaration/a", "instance//b", "instance/a/", "other/a/b"])
    func otherTextIsNoKey(_ text: String) {
        #expect(RegistryKey(text) == nil)
    }

    @Test func systemTopicsStandInTheirNamespace() {
        #expect(SystemTopics().services == "troupe.services")
        #expect(SystemTopics(namespace: "test.").tasks == "test.troupe.tasks")
    }
}
