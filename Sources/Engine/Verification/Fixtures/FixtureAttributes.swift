import Files

/// The attributes of a fixture, with errors that name file, key and value.
struct FixtureAttributes: Sendable {
  let object: JSONObject
  private let path: String

  /// - Parameter text: A JSON object.
  init(_ text: String, path: String) throws {
    guard let object = try JSON.parse(Array(text.utf8), source: "\(path): attributes").objectValue else {
      throw FixtureError.metadata(path: path, key: "attributes", value: text, expected: "a JSON object")
    }
    self.init(object, path: path)
  }

  init(_ object: JSONObject, path: String) {
    self.object = object
    self.path = path
  }

  private func value<Value>(
    _ key: String, _ fallback: Value?, _ expected: String, _ read: (JSON) -> Value?,
  ) throws -> Value {
    guard let json = object[key], !json.isNull else {
      guard let fallback else {
        throw FixtureError.attribute(path: path, key: key, value: nil, expected: expected)
      }
      return fallback
    }
    guard let value = read(json) else {
      throw FixtureError.attribute(path: path, key: key, value: json.serialized(.compact), expected: expected)
    }
    return value
  }

  /// A finite number; without `fallback` the key must be there.
  func number(_ key: String, default fallback: Double? = nil) throws -> Double {
    try value(key, fallback, "a number") { $0.doubleValue.flatMap { $0.isFinite ? $0 : nil } }
  }

  /// A whole number in `range`.
  func integer(
    _ key: String, in range: ClosedRange<Int> = -1 << 31...1 << 31, default fallback: Int? = nil,
  ) throws -> Int {
    try value(key, fallback, "a whole number from \(range.lowerBound) to \(range.upperBound)") {
      $0.integerValue.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func flag(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    try value(key, fallback, "true or false") { $0.boolValue }
  }

  func text(_ key: String, default fallback: String? = nil) throws -> String {
    try value(key, fallback, "a text") { $0.stringValue }
  }

  /// One of the values of an enumeration, by its raw value.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, default fallback: Choice? = nil,
  ) throws -> Choice {
    try value(key, fallback, "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))") {
      $0.stringValue.flatMap { Choice(rawValue: $0) }
    }
  }

  /// A nested object; an empty one when the key is not there.
  func section(_ key: String) throws -> FixtureAttributes {
    FixtureAttributes(try value(key, [:], "an object") { $0.objectValue }, path: "\(path): \(key)")
  }
}
