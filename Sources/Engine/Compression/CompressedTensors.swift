import Files

/// How a folder's weights are quantized, as `quantization_config` in config.json says it: the part of compressed-tensors
/// that is read and written here (`pack-quantized`, symmetric whole numbers of 4 or 8 bits).
public struct CompressedTensors: Sendable, Hashable {
  /// The key in config.json.
  static let key = "quantization_config"
  static let method = "compressed-tensors"
  static let format = "pack-quantized"

  public let bits: Int
  /// Neighbours in a row with one scale; nil for whole rows.
  public let groupSize: Int?

  static func packed(_ weight: String) -> String { AdapterSet.layer(weight) + ".weight_packed" }
  static func shape(_ weight: String) -> String { AdapterSet.layer(weight) + ".weight_shape" }
  static func scale(_ weight: String) -> String { LinearPrecision.nameOfWeightScale(weight) }

  init(bits: Int, groupSize: Int?) { (self.bits, self.groupSize) = (bits, groupSize) }

  // MARK: Writing

  /// - Parameter ignored: Linear layers whose weights are floats.
  func json(ignoring ignored: [String]) -> JSON {
    let weights: JSON = [
      "num_bits": .integer(Int64(bits)), "type": "int", "symmetric": true,
      "strategy": .string(groupSize == nil ? "channel" : "group"),
      "group_size": groupSize.map { .integer(Int64($0)) } ?? .null, "dynamic": false, "actorder": .null,
      "block_structure": .null, "observer": "minmax", "observer_kwargs": [:], "scale_dtype": .null,
      "zp_dtype": .null,
    ]
    let group: JSON = [
      "targets": ["Linear"], "format": .string(Self.format), "input_activations": .null,
      "output_activations": .null, "weights": weights,
    ]
    return [
      "quant_method": .string(Self.method), "format": .string(Self.format),
      "quantization_status": "compressed", "version": "0.19.0", "global_compression_ratio": .null,
      "ignore": .array(ignored.map { .string($0) }), "kv_cache_scheme": .null, "sparsity_config": [:],
      "transform_config": [:], "config_groups": ["group_0": group],
    ]
  }

  // MARK: Reading

  /// What a config.json says; nil for a model that is not quantized.
  ///
  /// - Throws: ``ModelError`` for what is not read here.
  static func read(from reader: ConfigurationReader) throws -> CompressedTensors? {
    guard let section = try reader.section(key) else { return nil }
    try demand(method, "quant_method", in: section)
    try demand(format, "format", in: section)
    try refuse(["kv_cache_scheme", "transform_config", "sparsity_config"], in: section)
    guard let groups = try section.section("config_groups") else {
      throw ModelError.missingKey("config_groups", path: section.path)
    }
    let found = try groups.object.map { entry in
      guard let group = try groups.section(entry.key), let weights = try group.section("weights") else {
        throw ModelError.missingKey("weights", path: "\(groups.path): \(entry.key)")
      }
      try refuse(["input_activations", "output_activations"], in: group)
      return try Self(weights)
    }
    guard let first = found.first, found.allSatisfy({ $0 == first }) else {
      throw ModelError.badValue(
        key: "config_groups", value: "\(found.count) kinds of weights", expected: "one kind",
        path: section.path)
    }
    return first
  }

  /// What would change results and is not read: only null, or nothing in it.
  private static func refuse(_ keys: [String], in reader: ConfigurationReader) throws {
    for key in keys {
      guard let value = reader.object[key], !value.isNull, value.objectValue?.isEmpty != true else {
        continue
      }
      throw ModelError.badValue(
        key: key, value: value.serialized(), expected: "null: weights alone are read", path: reader.path)
    }
  }

  private init(_ weights: ConfigurationReader) throws {
    try Self.demand("int", "type", in: weights)
    guard try weights.bool("symmetric", default: true) else {
      throw ModelError.badValue(
        key: "symmetric", value: "false", expected: "true: zero points are not read", path: weights.path)
    }
    bits = try weights.integer("num_bits")
    guard bits == 4 || bits == 8 else {
      throw ModelError.badValue(key: "num_bits", value: "\(bits)", expected: "4 or 8", path: weights.path)
    }
    switch try weights.string("strategy") {
    case "group":
      let size = try weights.integer("group_size")
      guard size > 0 else {
        throw ModelError.badValue(
          key: "group_size", value: "\(size)", expected: "a number above 0", path: weights.path)
      }
      groupSize = size
    case "channel": groupSize = nil
    case let other:
      throw ModelError.badValue(
        key: "strategy", value: other ?? "missing", expected: "group or channel", path: weights.path)
    }
  }

  private static func demand(_ value: String, _ key: String, in reader: ConfigurationReader) throws {
    let found = try reader.string(key)
    guard found == value else {
      throw ModelError.badValue(
        key: key, value: found ?? "missing", expected: "'\(value)', which alone is read", path: reader.path)
    }
  }
}
