// JSON values that keep the order of their members.

import Testing

@testable import Troupe

@Suite struct JSONTreeTests {
    @Test func whatIsReadIsWrittenInItsOrder() throws {
        let text = #"{"z":[1,-2.5,true,null,"\"\\\n"],"a":{},"m":{"x":[]}}"#
        let tree = try JSONTree(parsing: text)
        #expect(tree.line == text)
        #expect(try JSONTree(parsing: tree.pretty) == tree)
        #expect(
            tree.pretty == """
                {
                  "z": [
                    1,
                    -2.5,
                    true,
                    null,
                    "\\"\\\\\\n"
                  ],
                  "a": {},
                  "m": {
                    "x": []
                  }
                }
                """)
    }

    @Test func membersAreFoundByName() throws {
        let tree: JSONTree = ["a": ["b": "c"], "d": [1.json]]
        #expect(tree["a"]?["b"]?.text == "c")
        #expect(tree["a"]?["x"] == nil)
        #expect(tree["d"]?.elements.count == 1)
        #expect(tree.members.map(\.name) == ["a", "d"])
    }
}

extension Int {
    fileprivate var json: JSONTree { .integer(Int64(self)) }
}
