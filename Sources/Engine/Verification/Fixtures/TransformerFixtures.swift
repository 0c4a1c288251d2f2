import Files
import Kernels

/// The pieces of a transformer besides attention, norms and losses.
enum TransformerFixtures: FixtureAdapter {
  static let operations = ["rope", "swiglu", "embedding"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    switch fixture.operation {
    case "rope": return try rope(computation)
    case "swiglu":
      let operation = Pointwise.gated(try fixture.attributes.choice("activation"))
      let output = try computation.apply(operation, [computation.input("gate"), computation.input("up")])[0]
      return try computation.values(["output": output])
    default:
      let inputs = [try computation.input("ids"), try computation.input("weight")]
      return try computation.values(["output": computation.apply(Embedding(), inputs)[0]])
    }
  }

  // MARK: Rotary positions

  /// Tables for more positions than this are not made for a fixture.
  private static let positionLimit = 1 << 20

  private static func rope(_ computation: FixtureComputation) throws -> FixtureValues {
    let fixture = computation.fixture
    let attributes = fixture.attributes
    let frequencies = try frequencies(attributes)
    let offset = try attributes.integer("position_offset", in: 0...positionLimit, default: 0)
    let x = try computation.input("x")
    guard x.shape.rank == 4 else {
      throw fixture.invalid("'input.x' is \(x.type), not [batch, time, heads, dim]")
    }
    let positions = try computation.optionalInput("positions")
    let last = try positions == nil ? offset + x.shape[1] - 1 : highest(fixture)
    let table = RotaryTable(frequencies, positions: last + 1, on: computation.device)
    let operation = RoPE(
      convention: try attributes.choice("convention"), positionOffset: positions == nil ? offset : 0,
      hasPositions: positions != nil)
    let inputs = [x, table.cosine, table.sine] + (positions.map { [$0] } ?? [])
    var values = try computation.values(["output": computation.apply(operation, inputs)[0]])
    values["output.inverse_frequencies"] = FixtureValue(
      [frequencies.inverseFrequencies.count], frequencies.inverseFrequencies)
    return values
  }

  /// The highest given position.
  private static func highest(_ fixture: FixtureCase) throws -> Int {
    let positions = try fixture.integers("input.positions")
    let highest = Int(positions.max() ?? 0)
    guard (positions.min() ?? 0) >= 0, highest < positionLimit else {
      throw fixture.invalid("'input.positions' has values outside 0..<\(positionLimit)")
    }
    return highest
  }

  private static func frequencies(_ attributes: FixtureAttributes) throws -> RotaryFrequencies {
    let section = try attributes.section("scaling")
    let kind = try section.text("rope_type", default: "default")
    func originalContext() throws -> Int {
      try section.integer("original_max_position_embeddings", in: 1...1 << 30)
    }
    let scaling: RotaryScaling
    switch kind {
    case "default": scaling = .none
    case "linear": scaling = .linear(factor: try section.number("factor"))
    case "llama3":
      scaling = .llama3(
        factor: try section.number("factor"), lowFrequencyFactor: try section.number("low_freq_factor"),
        highFrequencyFactor: try section.number("high_freq_factor"), originalContext: try originalContext())
    case "yarn":
      scaling = .yarn(
        factor: try section.number("factor"), betaFast: try section.number("beta_fast", default: 32),
        betaSlow: try section.number("beta_slow", default: 1), originalContext: try originalContext())
    default: throw FixtureError.unsupported("nothing here scales rotary frequencies by '\(kind)'")
    }
    // YaRN's factor follows from the scaling unless that names one: then the formula is what is compared.
    let isDerived = kind == "yarn" && section.object["attention_factor"] == nil
    return try RotaryFrequencies(
      rotaryDimensions: try attributes.integer("rotary_dimensions", in: 2...1 << 16),
      theta: try attributes.number("theta"), scaling: scaling,
      attentionFactor: isDerived ? nil : try attributes.number("attention_factor", default: 1))
  }
}
