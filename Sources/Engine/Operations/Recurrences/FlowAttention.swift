import Kernels

extension Tape {
  /// Flow-Attention: linear attention with sigmoid features whose flows from keys (sources) to queries (sinks) are
  /// conserved, so that sources compete and sinks are allocated.
  ///
  /// Every sum over keys or queries is itself a linear attention with values of one column, so that no [time, k, v]
  /// tensor is made. In the causal form every sum runs up to the row's own position n and is made a mean by n.
  ///
  /// - Parameters:
  ///   - query: [batch, time, heads, k].
  ///   - key: [batch, keyTime, heads, k]; `keyTime` is `time` when causal.
  ///   - value: [batch, keyTime, heads, v].
  ///   - epsilon: Added to features and sums.
  ///   - documents: int32 [batch, time], causal form only.
  /// - Returns: [batch, time, heads, v].
  /// - SeeAlso: Wu et al., "Flowformer: Linearizing Transformers with Conservation Flows", 2022.
  public func flowAttention(
    query: Tensor, key: Tensor, value: Tensor, isCausal: Bool, epsilon: Double = 1e-6,
    documents: Tensor? = nil,
  ) -> Tensor {
    precondition(isCausal || documents == nil, "flow attention over all tokens knows no documents")
    if isCausal {
      return causalFlowAttention(
        query: query, key: key, value: value, epsilon: epsilon, documents: documents
      ).output
    }
    return Flow(
      tape: self, query: activation(.sigmoid, query), key: activation(.sigmoid, key), epsilon: epsilon,
      documents: nil
    ).full(value)
  }

  /// The causal form of ``flowAttention(query:key:value:isCausal:epsilon:documents:)`` in parts of a sequence.
  ///
  /// - Parameter initialStates: What the call before returned; empty at the start.
  /// - Returns: The output [batch, time, heads, v] and the running sums behind the last token: of tokens, keys, queries, keys
  ///   by what they give, queries by what they take, competition, and last keys by values [batch, heads, k, v].
  public func causalFlowAttention(
    query: Tensor, key: Tensor, value: Tensor, epsilon: Double = 1e-6, initialStates: [Tensor] = [],
    documents: Tensor? = nil,
  ) -> (output: Tensor, states: [Tensor]) {
    let flow = Flow(
      tape: self, query: activation(.sigmoid, query), key: activation(.sigmoid, key), epsilon: epsilon,
      documents: documents)
    let sums = RunningSums(initialStates)
    return (flow.causal(value, sums), sums.final)
  }
}

/// The states of the sums of one call, in the order in which they are taken.
private final class RunningSums {
  private let initial: [Tensor]
  private(set) var final: [Tensor] = []

  init(_ initial: [Tensor]) { self.initial = initial }

  /// What the next sum starts from.
  var next: Tensor? { initial.isEmpty ? nil : initial[final.count] }

  func append(_ state: Tensor) { final.append(state) }
}

/// One call of flow attention; q and k are features.
private struct Flow {
  let tape: Tape
  let query: Tensor
  let key: Tensor
  let epsilon: Double
  let documents: Tensor?
  /// Ones in the shapes of queries and keys: dotted with a row they add it up.
  private let queryOnes: Tensor
  private let keyOnes: Tensor

  init(tape: Tape, query: Tensor, key: Tensor, epsilon: Double, documents: Tensor?) {
    (self.tape, self.query, self.key) = (tape, query, key)
    (self.epsilon, self.documents) = (epsilon, documents)
    queryOnes = tape.filled(query.shape, with: 1)
    keyOnes = key.shape == query.shape ? queryOnes : tape.filled(key.shape, with: 1)
  }

  // MARK: Causal

  func causal(_ value: Tensor, _ sums: RunningSums) -> Tensor {
    let front = Shape(Array(query.shape.dimensions.dropLast()))
    let ones = tape.filled(Shape(front.dimensions + [1]), with: 1)
    // The number of tokens so far in the document.
    let count = running(ones, ones, ones, sums)
    let incoming = pointwise([count, conserved(query, key, ones, sums)]) { $0[0] / $0[1] }
    let outgoing = pointwise([count, conserved(key, query, ones, sums)]) { $0[0] / $0[1] }
    let sink = pointwise([conserved(query, key, outgoing, sums), count]) { $0[0] / $0[1] }
    let source = pointwise([conserved(key, query, incoming, sums), count]) { values in
      (values[0] / values[1]).minimum(values[0].constant(1)).maximum(values[0].constant(-1)).exp()
    }
    let competition = pointwise([count, source, running(ones, ones, source, sums)]) { $0[0] * $0[1] / $0[2] }
    let weighted = tape.scaleRows(query, by: pointwise([incoming, count]) { $0[0] / $0[1] })
    let output = running(weighted, key, tape.scaleRows(value, by: competition), sums)
    return tape.scaleRows(output, by: tape.activation(.sigmoid, sink))
  }

  /// `sum over s <= t of (q_t . k_s) v_s`.
  private func running(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ sums: RunningSums) -> Tensor {
    let result = tape.scalarGatedLinearAttention(
      query: query, key: key, value: value, scale: 1, initialState: sums.next, documents: documents)
    sums.append(result.finalState)
    return result.output
  }

  /// `(a_t + e) . (sum over s <= t of b_s w_s + e)`, one number per token and head.
  private func conserved(_ a: Tensor, _ b: Tensor, _ weights: Tensor, _ sums: RunningSums) -> Tensor {
    let shifted = shifted(a)
    return plusEpsilon(running(shifted, b, weights, sums), shifted)
  }

  // MARK: Over all tokens

  func full(_ value: Tensor) -> Tensor {
    let (time, keyTime) = (query.shape[1], key.shape[1])
    let queryOne = tape.filled(Shape(Array(query.shape.dimensions.dropLast()) + [1]), with: 1)
    let keyOne = tape.filled(Shape(Array(key.shape.dimensions.dropLast()) + [1]), with: 1)
    let incoming = pointwise([total(query, key, keyOne)]) { 1 / $0[0] }
    let outgoing = pointwise([total(key, query, queryOne)]) { 1 / $0[0] }
    let sink = total(query, key, outgoing)
    let source = pointwise([total(key, query, incoming)]) { values in
      values[0].minimum(values[0].constant(1)).maximum(values[0].constant(-1))
    }
    let competition = tape.scale(overTime(source), by: Double(keyTime))
    let output = everything(
      tape.scaleRows(query, by: incoming), key, tape.scaleRows(value, by: competition))
    let allocation = pointwise([sink]) { Activation.sigmoid($0[0] * (Double(time) / Double(keyTime))) }
    return tape.scaleRows(output, by: allocation)
  }

  private func everything(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> Tensor {
    tape.bidirectionalLinearAttention(
      query: query, key: key, value: value, options: LinearAttentionOptions(.identity, normalizes: false))
  }

  private func total(_ a: Tensor, _ b: Tensor, _ weights: Tensor) -> Tensor {
    let shifted = shifted(a)
    return plusEpsilon(everything(shifted, b, weights), shifted)
  }

  /// Softmax over time of x [batch, time, heads, 1].
  private func overTime(_ x: Tensor) -> Tensor {
    let swapped = tape.apply(SwapAxes(), [x])[0]
    let (batch, heads, time) = (swapped.shape[0], swapped.shape[1], swapped.shape[2])
    let shares = tape.softmax(swapped.reshaped(to: [batch, heads, time]))
    return tape.apply(SwapAxes(), [shares.reshaped(to: [batch, heads, time, 1])])[0]
  }

  // MARK: Parts

  private func shifted(_ x: Tensor) -> Tensor { pointwise([x]) { $0[0] + epsilon } }

  /// `sum + e (sum over the row)`: what the epsilon behind a sum adds to its product with the row.
  private func plusEpsilon(_ sums: Tensor, _ row: Tensor) -> Tensor {
    let ones = row.shape == queryOnes.shape ? queryOnes : keyOnes
    let rows = tape.rowDots(row, ones).reshaped(to: sums.shape)
    return pointwise([sums, rows]) { $0[0] + $0[1] * epsilon }
  }

  private func pointwise(_ inputs: [Tensor], _ body: @escaping ([PointwiseValue]) -> PointwiseValue) -> Tensor
  {
    tape.apply(Pointwise(PointwiseProgram(inputs: inputs.count) { [body($0)] }), inputs)[0]
  }
}
