public import Files

/// Typed access to the keys of a config.json, with errors that name key, value and file.
public struct ConfigurationReader {
  public let object: JSONObject
  public let path: String

  public init(_ object: JSONObject, path: String) {
    self.object = object
    self.path = path
  }

  private func present(_ key: String) -> JSON? {
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  public func integer(_ key: String) throws -> Int {
    guard let value = try optionalInteger(key) else { throw ModelError.missingKey(key, path: path) }
    return value
  }

  public func optionalInteger(_ key: String) throws -> Int? {
    guard let value = present(key) else { return nil }
    guard let integer = value.integerValue else { throw bad(key, value, "a whole number") }
    return integer
  }

  public func number(_ key: String, default fallback: Double) throws -> Double {
    guard let value = present(key) else { return fallback }
    guard let number = value.doubleValue else { throw bad(key, value, "a number") }
    return number
  }

  public func bool(_ key: String, default fallback: Bool) throws -> Bool {
    guard let value = present(key) else { return fallback }
    guard let bool = value.boolValue else { throw bad(key, value, "true or false") }
    return bool
  }

  public func string(_ key: String) throws -> String? {
    guard let value = present(key) else { return nil }
    guard let string = value.stringValue else { throw bad(key, value, "a text") }
    return string
  }

  public func section(_ key: String) throws -> ConfigurationReader? {
    guard let value = present(key) else { return nil }
    guard let object = value.objectValue else { throw bad(key, value, "an object") }
    return ConfigurationReader(object, path: "\(path): \(key)")
  }

  public func strings(_ key: String) throws -> [String]? {
    guard let value = present(key) else { return nil }
    guard let array = value.arrayValue else { throw bad(key, value, "a list") }
    return try array.map { element in
      guard let text = element.stringValue else { throw bad(key, value, "a list of texts") }
      return text
    }
  }

  /// One token id or a list of them.
  public func tokens(_ key: String) throws -> [Int32] {
    guard let value = present(key) else { return [] }
    return try (value.arrayValue ?? [value]).map { element in
      guard let id = element.integerValue.flatMap({ Int32(exactly: $0) }) else {
        throw bad(key, value, "a token id or a list of token ids")
      }
      return id
    }
  }

  /// The nonlinearity under the names that the transformers library uses.
  public func activation(_ key: String, default fallback: Activation) throws -> Activation {
    guard let name = try string(key) else { return fallback }
    switch name {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": return .geluTanh
    case "relu": return .relu
    case "relu2": return .reluSquared
    case "sigmoid": return .sigmoid
    default:
      throw ModelError.badValue(
        key: key, value: "'\(name)'", expected: "silu, gelu, gelu_new, gelu_pytorch_tanh, relu or relu2",
        path: path)
    }
  }

  func bad(_ key: String, _ value: JSON, _ expected: String) -> ModelError {
    .badValue(key: key, value: value.serialized(.compact), expected: expected, path: path)
  }
}

extension Activation {
  /// The name in the transformers library.
  var transformersName: String {
    switch self {
    case .silu: "silu"
    case .sigmoid: "sigmoid"
    case .relu: "relu"
    case .reluSquared: "relu2"
    case .gelu: "gelu"
    case .geluTanh: "gelu_new"
    }
  }
}
