import Files

/// Rotary positions in a config.json: `rope_parameters` (new), or `rope_theta` and `rope_scaling` (old).
enum RotaryConfiguration {
  static func read(_ reader: ConfigurationReader, headDimension: Int) throws -> RotarySettings {
    let section = try reader.section("rope_parameters") ?? reader.section("rope_scaling")
    let theta =
      try section.flatMap { $0.object["rope_theta"] == nil ? nil : try $0.number("rope_theta", default: 1e4) }
      ?? reader.number("rope_theta", default: 1e4)
    let factor =
      try section?.number("partial_rotary_factor", default: 1)
      ?? reader.number("partial_rotary_factor", default: 1)
    guard theta > 0, theta.isFinite, factor > 0, factor <= 1 else {
      throw ModelError.impossible(
        path: reader.path, problems: ["rope_theta is \(theta), partial_rotary_factor \(factor)"])
    }
    // Larger heads are refused with the other impossible shapes.
    let rotary = Int(exactly: (Double(headDimension) * factor).rounded(.down)) ?? 0
    guard rotary > 0, rotary.isMultiple(of: 2) else {
      throw ModelError.impossible(
        path: reader.path, problems: ["\(rotary) of \(headDimension) dimensions rotate"])
    }
    return RotarySettings(
      theta: theta, rotaryDimensions: rotary,
      scaling: try section.map { try scaling($0, outer: reader) } ?? .none,
      attentionFactor: try section.flatMap { try attentionFactor($0) })
  }

  /// The factor of cosines and sines where the file gives one; variants that are not computed are refused.
  private static func attentionFactor(_ section: ConfigurationReader) throws -> Double? {
    for key in ["mscale", "mscale_all_dim"] {
      let value = try section.number(key, default: 0)
      guard value == 0 else {
        throw ModelError.badValue(key: key, value: "\(value)", expected: "no such key", path: section.path)
      }
    }
    guard try section.bool("truncate", default: true) else {
      throw ModelError.badValue(key: "truncate", value: "false", expected: "true", path: section.path)
    }
    let factor = try section.number("attention_factor", default: 0)
    return factor == 0 ? nil : factor
  }

  private static func scaling(
    _ section: ConfigurationReader, outer: ConfigurationReader,
  ) throws -> RotaryScaling {
    let kind = try section.string("rope_type") ?? section.string("type") ?? "default"
    func originalContext() throws -> Int {
      let known = try section.optionalInteger("original_max_position_embeddings")
      let outside = try outer.optionalInteger("max_position_embeddings")
      return known ?? outside ?? 2048
    }
    let factor = try section.number("factor", default: 1)
    guard factor >= 1, factor.isFinite else {
      throw ModelError.badValue(key: "factor", value: "\(factor)", expected: "at least 1", path: section.path)
    }
    switch kind {
    case "default": return .none
    case "linear": return .linear(factor: factor)
    case "llama3":
      return .llama3(
        factor: factor, lowFrequencyFactor: try section.number("low_freq_factor", default: 1),
        highFrequencyFactor: try section.number("high_freq_factor", default: 4),
        originalContext: try originalContext())
    case "yarn":
      return .yarn(
        factor: factor, betaFast: try section.number("beta_fast", default: 32),
        betaSlow: try section.number("beta_slow", default: 1), originalContext: try originalContext())
    default:
      throw ModelError.badValue(
        key: "rope_type", value: "'\(kind)'", expected: "default, linear, llama3 or yarn", path: section.path)
    }
  }

  /// Writes the spelling that the configuration was read with; the new one for our own models.
  static func write(_ configuration: ModelConfiguration, to json: inout JSONObject) {
    guard let rope = configuration.rope else { return }
    let source = configuration.source
    if source["rope_parameters"] == nil, source["rope_theta"] != nil || source["rope_scaling"] != nil {
      json["rope_theta"] = .number(rope.theta)
      return
    }
    var section = source["rope_parameters"]?.objectValue ?? self.section(of: rope, configuration)
    section["rope_theta"] = .number(rope.theta)
    json["rope_parameters"] = .object(section)
  }

  /// `rope_parameters` of a model that was not read from a config.json.
  private static func section(of rope: RotarySettings, _ configuration: ModelConfiguration) -> JSONObject {
    var section: JSONObject
    switch rope.scaling {
    case .none: section = ["rope_type": "default"]
    case .linear(let factor): section = ["rope_type": "linear", "factor": .number(factor)]
    case .llama3(let factor, let low, let high, let originalContext):
      section = [
        "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
        "high_freq_factor": .number(high),
        "original_max_position_embeddings": .integer(Int64(originalContext)),
      ]
    case .yarn(let factor, let betaFast, let betaSlow, let originalContext):
      section = [
        "rope_type": "yarn", "factor": .number(factor), "beta_fast": .number(betaFast),
        "beta_slow": .number(betaSlow), "original_max_position_embeddings": .integer(Int64(originalContext)),
      ]
    }
    if rope.rotaryDimensions != configuration.headDimension {
      let share = Double(rope.rotaryDimensions) / Double(configuration.headDimension)
      section["partial_rotary_factor"] = .number(share)
    }
    return section
  }
}
