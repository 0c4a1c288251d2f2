public import Kernels
public import NumberFormats

extension TrainingPlanner {
  /// What the linear layers of a model cost per trained token in its low precision, on hardware that has the formats.
  ///
  /// Counted from the layers that one micro-batch meets: how wide they are, and which share their input's rounding. Layers
  /// and steps that are left out count as BF16; recomputed forwards are not counted. See `LinearCost`.
  ///
  /// - Returns: Nil for a model with adapters, whose products are others.
  public static func recipeCost(
    _ configuration: ModelConfiguration, options: TrainingOptions, device description: DeviceDescription,
  ) throws -> RecipeCost? {
    guard configuration.adapter == nil else { return nil }
    let layers = try linearLayers(configuration, options, description)
    let count = (layers.compactMap { LinearPrecision.layer(of: $0.name) }.max() ?? -1) + 1
    let tokens = options.microBatch * options.contextLength
    let precision = configuration.precision
    var total = RecipeCost()
    for layer in layers {
      func cost(_ formats: LinearFormats) -> RecipeCost {
        LinearCost(
          tokens: tokens, inputs: layer.inputs, outputs: layer.outputs, formats: formats,
          // Every layer learns a scale of its own.
          sharesInput: layer.sharesInput && formats.fpropInput?.scaleSource != .learned
        ).total()
      }
      guard let precision, precision.rounds(layer.name, layers: count) else {
        total = total + cost(LinearFormats())
        continue
      }
      let share = precision.roundedShare(of: options.steps)
      total = total + cost(precision.formats).scaled(by: share) + cost(LinearFormats()).scaled(by: 1 - share)
    }
    return total.scaled(by: 1 / Double(tokens))
  }

  private struct LinearLayer {
    let name: String
    var inputs = 0
    var outputs = 0
    var sharesInput = true
  }

  /// The linear layers in the order of the tape, as they show when all of them round everything.
  private static func linearLayers(
    _ configuration: ModelConfiguration, _ options: TrainingOptions, _ description: DeviceDescription,
  ) throws -> [LinearLayer] {
    var formats = LinearFormats()
    let format = OperandFormat(.fp8Tensor)
    (formats.fpropInput, formats.fpropWeight) = (format, format)
    var rounded = configuration
    rounded.precision = LinearPrecision(formats)
    let device = PlanningDevice(for: description)
    let model = try ModelInitialization.make(rounded, seed: options.seed, on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(SGD(), for: model.parameters), loss: options.loss,
      clip: options.clip,
      recomputesLayers: options.recomputesLayers)
    let batch = Batch(sequences: options.microBatch, context: options.contextLength, hasDocuments: false)
    var layers: [LinearLayer] = []
    step.observeRounding(of: batch) { view in
      let name = view.rounding.weight
      var layer = layers.first { $0.name == name } ?? LinearLayer(name: name)
      if view.operand == .fpropInput {
        layer.sharesInput = false
      } else {
        // Sums run over a weight's columns where it is stored [out, in].
        let shape = view.x.shape
        (layer.outputs, layer.inputs) = view.axis == .columns ? (shape[0], shape[1]) : (shape[1], shape[0])
      }
      layers.removeAll { $0.name == name }
      layers.append(layer)
    }
    return layers
  }
}
