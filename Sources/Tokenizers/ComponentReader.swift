import Files

/// Typed access to the values of a tokenizer file, with the place in every error.
struct ComponentReader {
  /// The path, for messages.
  let source: String

  func wrongType(_ place: String, _ expected: String, _ found: JSON?) -> TokenizerError {
    .wrongType(source: source, place: place, expected: expected, found: found?.kind ?? "missing")
  }

  func inconsistent(_ place: String, _ problem: String) -> TokenizerError {
    .inconsistent(source: source, place: place, problem: problem)
  }

  func unsupported(_ place: String, _ problem: String, hint: String) -> TokenizerError {
    .unsupported(source: source, place: place, problem: problem, hint: hint)
  }

  func object(_ value: JSON?, _ place: String) throws -> JSONObject {
    guard let object = value?.objectValue else { throw wrongType(place, "an object", value) }
    return object
  }

  func array(_ value: JSON?, _ place: String) throws -> [JSON] {
    guard let array = value?.arrayValue else { throw wrongType(place, "an array", value) }
    return array
  }

  func string(_ value: JSON?, _ place: String) throws -> String {
    guard let string = value?.stringValue else { throw wrongType(place, "a string", value) }
    return string
  }

  /// A string, nil where the value is missing or null.
  func optionalString(_ value: JSON?, _ place: String) throws -> String? {
    guard let value, !value.isNull else { return nil }
    return try string(value, place)
  }

  /// A Boolean, the default where it is missing or null.
  func flag(_ value: JSON?, _ place: String, default defaultValue: Bool) throws -> Bool {
    guard let value, !value.isNull else { return defaultValue }
    guard let flag = value.boolValue else { throw wrongType(place, "a Boolean", value) }
    return flag
  }

  /// An id within the range this program accepts.
  func id(_ value: JSON?, _ place: String) throws -> Int32 {
    guard let integer = value?.integerValue else { throw wrongType(place, "an id (an integer)", value) }
    guard let id = Int32(exactly: integer), (0..<Self.idLimit).contains(id) else {
      throw inconsistent(place, "the id \(integer) is outside 0..<\(Self.idLimit)")
    }
    return id
  }

  /// Ids end here: they are indices into tables, and a damaged one must not ask for gigabytes.
  ///
  /// The largest vocabularies known have some 300,000.
  static let idLimit: Int32 = 1 << 22
}
