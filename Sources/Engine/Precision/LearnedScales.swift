import Kernels
import NumberFormats

/// A scale that is trained beside the weight it belongs to.
final class LearnedScale {
  let parameter: Parameter
  /// False until it has a first value: that of an operand's scale comes from the first numbers that pass.
  var isInitialized = true

  init(_ parameter: Parameter) { self.parameter = parameter }
}

extension LinearPrecision {
  static func nameOfWeightScale(_ weight: String) -> String { AdapterSet.layer(weight) + ".weight_scale" }
  static func nameOfInputScale(_ weight: String) -> String { AdapterSet.layer(weight) + ".input_scale" }

  /// Whether a tensor holds the scales of one of these weights.
  static func isScale(_ name: String, of weights: Set<String>) -> Bool {
    [".weight_scale", ".input_scale"].contains { ending in
      guard name.hasSuffix(ending) else { return false }
      let layer = String(name.dropLast(ending.count))
      return weights.contains(layer) || weights.contains(layer + ".weight")
    }
  }

  private var learnsWeightScale: Bool { formats.fpropWeight?.scaleSource == .learned }
  private var learnsInputScale: Bool { formats.fpropInput?.scaleSource == .learned }

  /// The scales that are trained beside a model's weights.
  static func scales(
    of configuration: ModelConfiguration, _ architecture: any Architecture.Type,
    on device: any OperationDevice,
  ) throws -> [ParameterSpecification] {
    guard let precision = configuration.precision, precision.learnsWeightScale || precision.learnsInputScale
    else { return [] }
    // Linear layers mark their weights, so a model without values tells which they are.
    let planned = PlanningDevice(for: device.description)
    let store = ParameterStore(architecture.parameters(of: configuration), on: planned, trains: false)
    _ = try architecture.makeModel(configuration, store)
    return try precision.rounded(in: store).filter { $0.linearLayout != nil }.flatMap(precision.scales)
  }

  private func scales(of weight: Parameter) -> [ParameterSpecification] {
    let (out, input) = weight.linearExtents
    var scales: [ParameterSpecification] = []
    if learnsWeightScale, let groups = formats.fpropWeight?.uniformQuantizer?.groups {
      scales.append(
        ParameterSpecification(
          Self.nameOfWeightScale(weight.name), groups.scales(rows: out, columns: input), decays: false))
    }
    if learnsInputScale {
      scales.append(ParameterSpecification(Self.nameOfInputScale(weight.name), [1], decays: false))
    }
    return scales
  }

  /// What a learned scale starts with: `2 mean|x| / sqrt(largest code)`.
  static func start(_ quantizer: UniformQuantizer, rows: Int, columns: Int) -> MeanMagnitude {
    MeanMagnitude(
      quantizer.groups,
      factor: (quantizer.grid.smallest < 0 ? 2 : 4) / Double(quantizer.grid.largest).squareRoot(),
      rows: rows, columns: columns)
  }

  /// Gives scales that no file holds their first values: those of weights now, those of operands when numbers pass.
  ///
  /// - Parameter names: Of the scales; the model was made of the store, so that linear layers have marked their weights.
  func initialize(_ names: Set<String>, in store: ParameterStore) {
    guard !names.isEmpty, !(store.device is PlanningDevice) else { return }
    let tape = Tape(on: store.device, isRecording: false)
    for weight in store.parameters {
      guard let precision = weight.precision else { continue }
      if let scale = precision.inputScale, names.contains(scale.parameter.name) {
        scale.isInitialized = false
      }
      guard let scale = precision.weightScale, names.contains(scale.parameter.name),
        let quantizer = formats.fpropWeight?.uniformQuantizer
      else { continue }
      let rows =
        weight.linearLayout == .inOut ? tape.transposed(tape.value(of: weight)) : tape.value(of: weight)
      let start = Self.start(quantizer, rows: rows.shape[0], columns: rows.shape[1])
      tape.apply(start, [rows], into: [0: scale.parameter.value])
    }
  }
}

extension WeightPrecision {
  /// The learned scales as a tape sees them; that of x gets its first value from the first x.
  func scales(for x: Tensor, _ tape: Tape) -> LearnedOperandScales {
    if let inputScale, !inputScale.isInitialized, let quantizer = formats.fpropInput?.uniformQuantizer {
      let rows = x.detached.reshaped(to: [x.shape.rows, x.shape.last])
      let start = LinearPrecision.start(quantizer, rows: rows.shape[0], columns: rows.shape[1])
      tape.apply(start, [rows], into: [0: inputScale.parameter.value.reshaped(to: [1, 1])])
      inputScale.isInitialized = true
    }
    return LearnedOperandScales(
      input: inputScale.map { tape.parameter($0.parameter).reshaped(to: [1, 1]) },
      weight: weightScale.map { tape.parameter($0.parameter) })
  }
}
