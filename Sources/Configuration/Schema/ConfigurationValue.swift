/// The value of a key, as it is written.
public enum ConfigurationValue: Sendable, Equatable {
  /// Not set (`null`).
  case none
  /// A whole number.
  case integer(Int)
  /// A number.
  case number(Double)
  /// True or false.
  case boolean(Bool)
  /// Text or a name.
  case text(String)
  /// Several texts.
  case list([String])

  /// For people: text in quotes only where it would be misread.
  public var display: String {
    switch self {
    case .none: "none"
    case .integer(let value): String(value)
    case .number(let value): ConfigurationValue.plain(value)
    case .boolean(let value): value ? "true" : "false"
    case .text(let value): YAMLText.scalar(value)
    case .list(let values): "[" + values.map { YAMLText.scalar($0) }.joined(separator: ", ") + "]"
    }
  }

  /// As a file has it: ``display``, and `null` for nothing.
  var written: String { self == .none ? "null" : display }

  /// The shortest decimal text that reads back as the same number: `3e-4` is `0.0003`, `1e-5` stays.
  static func plain(_ value: Double) -> String {
    var text = "\(value)"
    if text.hasSuffix(".0") { text.removeLast(2) }
    guard let split = text.firstIndex(of: "e") else { return text }
    // Swift pads the exponent to two digits and signs it: 1e-05, 1e+20.
    let exponent = Int(text[text.index(after: split)...]) ?? 0
    return "\(text[..<split])e\(exponent)"
  }
}

/// What a key takes.
public enum ValueKind: Sendable, Equatable {
  /// A whole number.
  case integer
  /// A number.
  case number
  /// `true` or `false`.
  case boolean
  /// Text, with the forms it may take where not every text will do.
  case text(syntax: String?)
  /// One of these names.
  case choice([String])
  /// Texts: one, or a list.
  case list

  /// For documentation and messages.
  public var display: String {
    switch self {
    case .integer: "integer"
    case .number: "number"
    case .boolean: "true or false"
    case .text(let syntax): syntax ?? "text"
    case .choice(let names): names.joined(separator: ", ")
    case .list: "text or list of texts"
    }
  }

  /// With its article, for `takes ...`.
  var phrase: String {
    switch self {
    case .integer: "a whole number"
    case .number: "a number"
    case .boolean: "true or false"
    case .text(let syntax): syntax ?? "text"
    case .choice(let names): "one of " + names.joined(separator: ", ")
    case .list: "a text or a list of texts"
    }
  }
}

/// A Swift type that a key can have.
public protocol ConfigurableValue: Sendable, Equatable {
  /// What is written for it.
  static var kind: ValueKind { get }
  /// Whether it may be absent.
  static var isOptional: Bool { get }
  /// The value as written.
  var configurationValue: ConfigurationValue { get }
  /// The value from what was written, already of the right kind; nil if its syntax is wrong.
  init?(_ value: ConfigurationValue)
}

extension ConfigurableValue {
  /// A plain value is always there.
  public static var isOptional: Bool { false }
}

extension Int: ConfigurableValue {
  /// A whole number.
  public static var kind: ValueKind { .integer }
  /// As written.
  public var configurationValue: ConfigurationValue { .integer(self) }
  /// From an integer.
  public init?(_ value: ConfigurationValue) {
    guard case .integer(let integer) = value else { return nil }
    self = integer
  }
}

extension Double: ConfigurableValue {
  /// A number.
  public static var kind: ValueKind { .number }
  /// As written.
  public var configurationValue: ConfigurationValue { .number(self) }
  /// From a number.
  public init?(_ value: ConfigurationValue) {
    guard case .number(let number) = value else { return nil }
    self = number
  }
}

extension Bool: ConfigurableValue {
  /// True or false.
  public static var kind: ValueKind { .boolean }
  /// As written.
  public var configurationValue: ConfigurationValue { .boolean(self) }
  /// From true or false.
  public init?(_ value: ConfigurationValue) {
    guard case .boolean(let boolean) = value else { return nil }
    self = boolean
  }
}

extension String: ConfigurableValue {
  /// Text.
  public static var kind: ValueKind { .text(syntax: nil) }
  /// As written.
  public var configurationValue: ConfigurationValue { .text(self) }
  /// From text.
  public init?(_ value: ConfigurationValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }
}

extension Array: ConfigurableValue where Element == String {
  /// Texts.
  public static var kind: ValueKind { .list }
  /// As written.
  public var configurationValue: ConfigurationValue { .list(self) }
  /// From a list.
  public init?(_ value: ConfigurationValue) {
    guard case .list(let list) = value else { return nil }
    self = list
  }
}

extension Optional: ConfigurableValue where Wrapped: ConfigurableValue {
  /// That of the value.
  public static var kind: ValueKind { Wrapped.kind }
  /// It may be absent.
  public static var isOptional: Bool { true }
  /// As written.
  public var configurationValue: ConfigurationValue { self?.configurationValue ?? .none }
  /// From the value, or from nothing.
  public init?(_ value: ConfigurationValue) {
    if value == .none {
      self = Self.none
    } else if let wrapped = Wrapped(value) {
      self = Self.some(wrapped)
    } else {
      return nil
    }
  }
}

/// A choice between names.
public protocol ConfigurationChoice: ConfigurableValue, RawRepresentable, CaseIterable
where RawValue == String {}

extension ConfigurationChoice {
  /// The names.
  public static var kind: ValueKind { .choice(allCases.map(\.rawValue)) }
  /// The name.
  public var configurationValue: ConfigurationValue { .text(rawValue) }
  /// From a name.
  public init?(_ value: ConfigurationValue) {
    guard case .text(let text) = value else { return nil }
    self.init(rawValue: text)
  }
}

extension ModelArchitecture: ConfigurationChoice {}
extension DataTask: ConfigurationChoice {}
extension AdapterInitialization: ConfigurationChoice {}
extension AdapterBase: ConfigurationChoice {}
extension StoredFormat: ConfigurationChoice {}
extension OptimizerState: ConfigurationChoice {}
extension OptimizerKind: ConfigurationChoice {}
extension WeightDecayMode: ConfigurationChoice {}
extension ScheduleKind: ConfigurationChoice {}
extension DecayShape: ConfigurationChoice {}

extension TokenizerChoice: ConfigurableValue {
  /// Text of one of three forms.
  public static var kind: ValueKind {
    .text(syntax: "bytes, bpe:N, or the path of a tokenizer.json (with a '/')")
  }

  /// As written.
  public var configurationValue: ConfigurationValue {
    switch self {
    case .bytes: .text("bytes")
    case .file(let path): .text(path)
    case .bytePairs(let vocabulary): .text("bpe:\(vocabulary)")
    }
  }

  /// From one of the forms; a path is what has a slash or ends in `.json`.
  public init?(_ value: ConfigurationValue) {
    guard case .text(let text) = value else { return nil }
    if text == "bytes" {
      self = .bytes
    } else if text.hasPrefix("bpe:") {
      guard let count = Int(text.dropFirst(4)), (256...10_000_000).contains(count) else { return nil }
      self = .bytePairs(vocabulary: count)
    } else if text.contains("/") || text.hasSuffix(".json") {
      self = .file(path: text)
    } else {
      return nil
    }
  }
}
