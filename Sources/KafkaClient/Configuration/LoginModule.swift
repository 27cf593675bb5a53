// Reads a line of JAAS, the form in which Java's clients carry credentials.

/// A parsed `sasl.jaas.config`: a login module's class and its options.
struct LoginModule {
    private let className: String
    private let options: [String: String]

    /// Parses `class required name="value" ...;`.
    init(parsing line: String) throws(KafkaError) {
        var words: [String] = []
        var word = ""
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\", quote != nil {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character.isWhitespace || character == ";" {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        // Never the text itself in an error: it holds the password.
        guard quote == nil, words.count >= 2 else {
            throw .invalidProperty("sasl.jaas.config", "is not of the form: class required name=\"value\" ...;")
        }
        className = words[0]
        var options: [String: String] = [:]
        for option in words.dropFirst(2) {
            guard let equals = option.firstIndex(of: "=") else {
                throw .invalidProperty("sasl.jaas.config", "has an option without a value")
            }
            options[String(option[..<equals])] = String(option[option.index(after: equals)...])
        }
        self.options = options
    }

    /// What librdkafka calls it.
    ///
    /// `entries` are the file's other lines.
    func properties(tokenEndpoint entries: [String: String]) throws(KafkaError) -> KafkaProperties {
        func option(_ name: String) throws(KafkaError) -> String {
            guard let value = options[name] else {
                throw .invalidProperty("sasl.jaas.config", "lacks the option \(name)")
            }
            return value
        }
        switch className.split(separator: ".").last.map(String.init) ?? className {
        case "PlainLoginModule":
            return [
                "sasl.mechanism": "PLAIN", "sasl.username": try option("username"),
                "sasl.password": try option("password"),
            ]
        case "ScramLoginModule":
            if options["tokenauth"] == "true" {
                throw .invalidProperty(
                    "sasl.jaas.config", "asks for a delegation token, which librdkafka lacks",
                    advice: "Use a user name and password")
            }
            return ["sasl.username": try option("username"), "sasl.password": try option("password")]
        case "OAuthBearerLoginModule" where entries["sasl.oauthbearer.token.endpoint.url"] != nil:
            var result: KafkaProperties = [
                "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": try option("clientId"),
                "sasl.oauthbearer.client.secret": try option("clientSecret"),
            ]
            result["sasl.oauthbearer.scope"] = options["scope"]
            result["sasl.oauthbearer.token.endpoint.url"] = entries["sasl.oauthbearer.token.endpoint.url"]
            return result
        case "OAuthBearerLoginModule":
            throw .invalidProperty(
                "sasl.jaas.config", "asks for OAUTHBEARER without a token endpoint",
                advice: "Set sasl.oauthbearer.token.endpoint.url")
        case "Krb5LoginModule":
            throw .invalidProperty(
                "sasl.jaas.config", "asks for Kerberos by a Java login module",
                advice: "Set sasl.mechanism=GSSAPI, sasl.kerberos.keytab, sasl.kerberos.principal and "
                    + "sasl.kerberos.service.name instead")
        default:
            throw .invalidProperty(
                "sasl.jaas.config", "names the login module \(className), which has no counterpart",
                advice: "Set sasl.mechanism with sasl.username and sasl.password instead")
        }
    }
}
