/// Softmax attention, fused: an online softmax over blocks of keys, memory linear in time.
///
/// - SeeAlso: Dao, "FlashAttention-2", 2023; Milakov and Gimelshein, "Online normalizer calculation for softmax",
///   2018.
public struct Attention: DifferentiableOperation {
  public static let name = "attention"
  public let options: AttentionOptions
  /// Adds the entropy of every row as an output, for watching attention collapse.
  public let returnsEntropy: Bool

  public init(_ options: AttentionOptions, returnsEntropy: Bool = false) {
    self.options = options
    self.returnsEntropy = returnsEntropy
  }

  public var signature: String {
    "query [batch, tq, heads, d], key [batch, tk, groups, d], value [batch, tk, groups, dv]\(options.extraOperands)"
      + " > output [batch, tq, heads, dv], log_sum_exp [batch, heads, tq]"
      + (returnsEntropy ? ", entropy [batch, heads, tq]" : "")
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(inputs, operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    return Cost(
      flops: 2 * size.pairCount(options) * Double(size.width + size.valueWidth), moving: inputs + outputs)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        for row in 0..<size.queryTime {
          let line = AttentionRow(options, size, batch: batch, row: row, head: head, inputs: inputs)
          let o = ((batch * size.queryTime + row) * size.heads + head) * size.valueWidth
          for column in 0..<size.valueWidth { outputs[0][o + column] = 0 }
          for (key, probability) in zip(line.keys, line.probabilities) {
            let v =
              ((batch * size.keyTime + key) * size.keyHeads + head * size.keyHeads / size.heads)
              * size.valueWidth
            for column in 0..<size.valueWidth {
              outputs[0][o + column] += probability * inputs[2][v + column]
            }
          }
          let place = (batch * size.heads + head) * size.queryTime + row
          outputs[1][place] = line.logSumExp
          if returnsEntropy {
            outputs[2][place] = line.probabilities.reduce(0) { $1 > 0 ? $0 - $1 * Scalar.log($1) : $0 }
          }
        }
      }
    }
  }

  public var saved: SavedTensors {
    SavedTensors(inputs: Set(0..<3 + options.extraCount), outputs: [0, 1])
  }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    precondition(
      context.cotangent(1) == nil && (!returnsEntropy || context.cotangent(2) == nil),
      "attention: only the output has a gradient, not log_sum_exp and entropy")
    let inputs = (0..<3 + options.extraCount).map { context.input($0) }
    let gradients = context.tape.apply(
      AttentionGradient(options), inputs + [context.output(0), context.output(1), cotangent])
    for position in 0..<3 { context.add(gradients[position], to: position) }
    if options.hasSinks { context.add(gradients[3], to: options.sinksPosition) }
  }
}

/// The gradient of ``Attention``: probabilities are computed again from `log_sum_exp`, block by block.
public struct AttentionGradient: Operation {
  public static let name = "attention_gradient"
  public let options: AttentionOptions

  public init(_ options: AttentionOptions) { self.options = options }

  public var signature: String {
    "query [batch, tq, heads, d], key [batch, tk, groups, d], value [batch, tk, groups, dv]\(options.extraOperands)"
      + ", output [batch, tq, heads, dv], log_sum_exp [batch, heads, tq], cotangent [batch, tq, heads, dv]"
      + " > query_gradient [batch, tq, heads, d], key_gradient [batch, tk, groups, d]"
      + ", value_gradient [batch, tk, groups, dv]" + (options.hasSinks ? ", sinks_gradient [heads]" : "")
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(inputs, operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    // Scores again, dP, dV, dK, dQ.
    return Cost(
      flops: 2 * size.pairCount(options) * Double(3 * size.width + 2 * size.valueWidth),
      moving: inputs + outputs)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    for output in outputs.indices { outputs[output] = ReferenceTensor(outputs[output].shape) }
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        for row in 0..<size.queryTime {
          let line = AttentionRow(options, size, batch: batch, row: row, head: head, inputs: inputs)
          addGradients(of: line, size, batch: batch, row: row, head: head, inputs, &outputs)
        }
      }
    }
  }

  private func addGradients<Scalar: ReferenceScalar>(
    of line: AttentionRow<Scalar>, _ size: AttentionExtents, batch: Int, row: Int, head: Int,
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let first = 3 + options.extraCount
    let (output, cotangent) = (inputs[first], inputs[first + 2])
    let keyHead = head * size.keyHeads / size.heads
    let q = ((batch * size.queryTime + row) * size.heads + head) * size.width
    let o = ((batch * size.queryTime + row) * size.heads + head) * size.valueWidth
    let delta = (0..<size.valueWidth).reduce(Scalar(0)) { $0 + output[o + $1] * cotangent[o + $1] }
    if options.hasSinks { outputs[3][head] -= line.sinkProbability * delta }
    for (index, key) in line.keys.enumerated() {
      let probability = line.probabilities[index]
      let k = ((batch * size.keyTime + key) * size.keyHeads + keyHead) * size.width
      let v = ((batch * size.keyTime + key) * size.keyHeads + keyHead) * size.valueWidth
      var inner: Scalar = 0
      for column in 0..<size.valueWidth {
        inner += cotangent[o + column] * inputs[2][v + column]
        outputs[2][v + column] += probability * cotangent[o + column]
      }
      let slope = probability * (inner - delta) * line.slopes[index] * Scalar(options.scale)
      for column in 0..<size.width {
        outputs[0][q + column] += slope * inputs[1][k + column]
        outputs[1][k + column] += slope * inputs[0][q + column]
      }
    }
  }
}

extension Tape {
  /// Softmax attention; see ``AttentionOptions`` for its definition.
  ///
  /// - Parameters:
  ///   - query: [batch, queryTime, heads, headDimension].
  ///   - key: [batch, keyTime, keyHeads, headDimension].
  ///   - value: [batch, keyTime, keyHeads, valueDimension].
  ///   - slopes: ALiBi slopes [heads].
  ///   - sinks: [heads].
  ///   - documents: int32 [batch, keyTime].
  ///   - mask: uint8 [queryTime, keyTime].
  /// - Returns: [batch, queryTime, heads, valueDimension].
  public func attention(
    query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions, slopes: Tensor? = nil,
    sinks: Tensor? = nil, documents: Tensor? = nil, mask: Tensor? = nil,
  ) -> Tensor {
    var options = options
    options.hasSlopes = slopes != nil
    options.hasSinks = sinks != nil
    options.hasDocuments = documents != nil
    options.hasMask = mask != nil
    let extras = [slopes, sinks, documents, mask].compactMap { $0 }
    return apply(Attention(options), [query, key, value] + extras)[0]
  }
}
