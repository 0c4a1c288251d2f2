import Kernels

/// The gradient of a ``Recurrence``; states are made again, not kept.
///
/// Inputs: the forward's, the output's cotangent, on demand the final state's. Outputs: a gradient of every operand, for
/// every token and head even where the operand is shared, and that of the initial state where there is one.
struct RecurrenceGradient<Forward: Recurrence>: Operation {
  static var name: String { Forward.name + "_gradient" }
  let forward: Forward
  /// A cotangent of the final state is the last input.
  let hasFinalCotangent: Bool
  /// The optional gradient (``Recurrence/optionalGradient``) is among the outputs.
  let needsOptional: Bool

  init(_ forward: Forward, hasFinalCotangent: Bool, needsOptional: Bool = true) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
    self.needsOptional = needsOptional
  }

  var operands: [RecurrenceOperand] { forward.operands }

  /// The operands whose gradients are outputs, in order.
  var positions: [Int] {
    operands.indices.filter { needsOptional || $0 != forward.optionalGradient }
  }

  /// Position of the output's cotangent.
  var cotangentPosition: Int { operands.count + forward.options.extraCount }

  var signature: String {
    forward.inputText + ", cotangent [batch, time, heads, v]"
      + (hasFinalCotangent ? ", final_cotangent [batch, heads, k, v]" : "") + " > "
      + positions.map { operands[$0].gradient.text }.joined(separator: ", ")
      + (forward.options.hasInitialState ? ", initial_state_gradient [batch, heads, k, v]" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try forward.extents(inputs.map(\.shape)).validate(operation: Self.name, signature: signature)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(
      flops: Forward.statePasses.backward * forward.extents(inputs.map(\.shape)).flopsPerStatePass,
      moving: inputs + outputs)
  }

  /// The forward's samples with cotangents, every other one with a cotangent of the final state.
  static var samples: [Sample] {
    Forward.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? Forward else { return nil }
      let size = forward.extents(sample.inputs.map(\.type.shape))
      let hasFinal = index.isMultiple(of: 2)
      let operation = RecurrenceGradient(
        forward, hasFinalCotangent: hasFinal,
        needsOptional: forward.optionalGradient == nil || index % 3 != 2)
      let cotangent = Sample.Input([size.batch, size.time, size.heads, size.valueWidth])
      return Sample(
        sample.label, operation,
        sample.inputs + [cotangent] + (hasFinal ? [Sample.Input(size.stateShape)] : []),
        // It stands for sums that cancel in the gate's gradient.
        slack: operation.needsOptional ? sample.slack : 1)
    }
  }
}
