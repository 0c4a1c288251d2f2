import Kernels

/// Normalizations over the last axis, and the soft cap of logits.
enum NormalizationFixtures: FixtureAdapter {
  static let operations = [
    "rms_norm", "layer_norm", "layer_norm_scaling", "single_scale_rms_norm", "crms_norm", "logit_softcap",
  ]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let output: Tensor
    switch fixture.operation {
    case "layer_norm": output = try layerNorm(computation)
    case "layer_norm_scaling": output = try scaledNorm(computation)
    case "single_scale_rms_norm": output = try singleScaleNorm(computation)
    case "crms_norm": output = try compressedNorm(computation)
    case "logit_softcap": output = try softcap(computation)
    default: output = try rmsNorm(computation, weight: computation.optionalInput("weight"))
    }
    return try computation.values(["y": output])
  }

  private static func rmsNorm(_ computation: FixtureComputation, weight: Tensor?) throws -> Tensor {
    let attributes = computation.fixture.attributes
    let operation = RMSNorm(
      epsilon: try attributes.number("epsilon"),
      weightOffset: try attributes.number("weight_offset", default: 0),
      hasWeight: weight != nil)
    return try computation.apply(operation, [computation.input("x")] + (weight.map { [$0] } ?? []))[0]
  }

  private static func layerNorm(_ computation: FixtureComputation) throws -> Tensor {
    let gain = try computation.optionalInput("weight")
    let bias = try computation.optionalInput("bias")
    let operation = LayerNorm(
      epsilon: try computation.fixture.attributes.number("epsilon"), hasWeight: gain != nil,
      hasBias: bias != nil)
    return try computation.apply(operation, [computation.input("x")] + [gain, bias].compactMap { $0 })[0]
  }

  /// `rms_norm / sqrt(layer)` (LayerNorm scaling).
  private static func scaledNorm(_ computation: FixtureComputation) throws -> Tensor {
    let attributes = computation.fixture.attributes
    let kind = try attributes.text("kind", default: "rms_norm")
    guard kind == "rms_norm" else {
      throw FixtureError.unsupported("nothing here scales a norm of kind '\(kind)'")
    }
    let layer = try attributes.integer("layer", in: 1...1 << 20)
    let normalized = try rmsNorm(computation, weight: computation.optionalInput("weight"))
    return computation.tape.scale(normalized, by: 1 / Double(layer).squareRoot())
  }

  /// RMSNorm whose one gain serves every channel: the gain is repeated.
  private static func singleScaleNorm(_ computation: FixtureComputation) throws -> Tensor {
    let width = try computation.input("x").shape.last
    let gain = try computation.apply(RepeatRow(rows: width), [computation.input("weight")])[0]
    return try rmsNorm(computation, weight: gain.reshaped(to: [gain.shape.count]))
  }

  /// RMSNorm of rows whose sum is zero and whose last value is left out: it is put back, then dropped again.
  private static func compressedNorm(_ computation: FixtureComputation) throws -> Tensor {
    let x = try computation.input("x")
    let width = x.shape.last
    guard x.shape.rank > 0, width > 0 else { throw computation.fixture.invalid("'input.x' is \(x.type)") }
    // The identity and a column of -1: every product in it is exact.
    let completion = (0..<width).flatMap { row in
      (0...width).map { column -> Float in column == width ? -1 : column == row ? 1 : 0 }
    }
    let matrix = Tensor(completion, shape: [width, width + 1], on: computation.device)
    let whole = try computation.apply(MatMul(), [x.reshaped(to: [x.shape.rows, width]), matrix])[0]
    let epsilon = try computation.fixture.attributes.number("epsilon")
    let normalized = try computation.apply(RMSNorm(epsilon: epsilon, hasWeight: false), [whole])[0]
    return try computation.apply(SplitColumns(widths: [width, 1]), [normalized])[0].reshaped(to: x.shape)
  }

  private static func softcap(_ computation: FixtureComputation) throws -> Tensor {
    let cap = try computation.fixture.attributes.number("cap")
    guard cap > 0 else {
      throw FixtureError.attribute(
        path: computation.fixture.path, key: "cap", value: "\(cap)", expected: "a positive number")
    }
    return try computation.apply(Pointwise.softcap(cap), [computation.input("logits")])[0]
  }
}
