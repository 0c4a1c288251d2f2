import Files

/// How many bytes a model's numbers take in memory.
///
/// It stands in a checkpoint's config.json, so that evaluation and generation compute with the values that training did.
public struct NumberStorage: Sendable, Equatable {
  /// A number in memory.
  public enum Format: String, Sendable, CaseIterable {
    /// Single precision, 4 bytes.
    case fp32
    /// The upper half of it, 2 bytes.
    case bf16
  }

  /// The key in config.json.
  static let key = "nibble_storage"

  /// What operations hand on and the backward reads again.
  ///
  /// With ``Format/bf16`` every activation is rounded to nearest even before anybody reads it and kept in two bytes until the
  /// backward. Statistics of rows, states and log decays of recurrences, losses and gradients stay in single precision.
  public var activations: Format

  /// Weights that are decayed; gains, biases and other small tensors stay in single precision.
  ///
  /// With ``Format/bf16`` there is no other copy of them. Products read floats that live as long as they do; an update computes with
  /// floats and stores them rounded stochastically, since to nearest most updates would vanish.
  public var weights: Format

  public init(activations: Format = .fp32, weights: Format = .fp32) {
    self.activations = activations
    self.weights = weights
  }

  var isFull: Bool { activations == .fp32 && weights == .fp32 }

  // MARK: In config.json

  var json: JSONObject {
    ["activations": .string(activations.rawValue), "weights": .string(weights.rawValue)]
  }

  /// What a config.json says; single precision where it says nothing.
  static func read(from reader: ConfigurationReader) throws -> NumberStorage {
    guard let section = try reader.section(key) else { return NumberStorage() }
    return NumberStorage(
      activations: try format("activations", in: section), weights: try format("weights", in: section))
  }

  private static func format(_ key: String, in section: ConfigurationReader) throws -> Format {
    let text = try section.string(key) ?? Format.fp32.rawValue
    guard let format = Format(rawValue: text) else {
      throw ModelError.badValue(
        key: key, value: text, expected: Format.allCases.map(\.rawValue).joined(separator: " or "),
        path: section.path)
    }
    return format
  }
}
