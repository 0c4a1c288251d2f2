import Kernels
import Synchronization

/// One head of a recurrence by the definition, in pieces that hand their state on: memory does not grow with the
/// length.
private struct RecurrenceWalk<Scalar: ReferenceScalar> {
  let problem: LinearAttentionProblem
  let head: RecurrenceHead
  /// The values of the large problem: the recurrence's inputs, then a state or a cotangent.
  let inputs: [[Float]]

  private static var pieceLength: Int { 256 }

  private var pieces: [Range<Int>] {
    stride(from: 0, to: problem.time, by: Self.pieceLength).map {
      $0..<min(problem.time, $0 + Self.pieceLength)
    }
  }

  private func values(_ input: Int, _ elements: [Int]) -> [Scalar] {
    elements.map { Scalar(inputs[input][$0]) }
  }

  /// The recurrence's inputs for some tokens.
  private func operands(_ piece: Range<Int>) -> [ReferenceTensor<Scalar>] {
    problem.operands.enumerated().map { index, operand in
      let elements =
        switch operand.extent {
        case .row(let width): head.elements(of: problem, tokens: piece, width: width)
        case .number: head.elements(of: problem, tokens: piece, width: 1)
        case .perHead: [head.head]
        }
      return ReferenceTensor(
        operand.shape(batch: 1, time: piece.count, heads: 1), values(index, elements))
    }
  }

  private func evaluate(_ operation: some Operation, _ inputs: [ReferenceTensor<Scalar>]) throws
    -> [ReferenceTensor<Scalar>]
  {
    let types = try operation.outputTypes(for: inputs.map { TensorType($0.shape, .float32) })
    var outputs = types.map { ReferenceTensor<Scalar>($0.shape) }
    operation.reference(inputs, &outputs)
    return outputs
  }

  private var stateShape: Shape { [1, 1, problem.width, problem.valueWidth] }
  private var options: RecurrenceOptions { problem.options(hasInitialState: true) }

  /// The output of every piece, and the states in front of every piece and behind the last.
  private func walk() throws -> (outputs: [[Scalar]], states: [ReferenceTensor<Scalar>]) {
    let operation = problem.mixer.operation(options)
    var states = [ReferenceTensor<Scalar>(stateShape)]
    if problem.pass == .decode {
      states[0].values = values(problem.operands.count, head.state(of: problem))
    }
    var outputs: [[Scalar]] = []
    for (index, piece) in pieces.enumerated() {
      let results = try evaluate(operation, operands(piece) + [states[index]])
      outputs.append(results[0].values)
      states.append(results[1])
    }
    return (outputs, states)
  }

  /// The head's values of every output of the problem.
  func results() throws -> [[Scalar]] {
    let (outputs, states) = try walk()
    guard problem.pass == .backward else {
      return [outputs.flatMap { $0 }, states[states.count - 1].values]
    }
    let operation = problem.mixer.gradient(options, hasFinalCotangent: true)
    var state = ReferenceTensor<Scalar>(stateShape)
    var gradients: [[[Scalar]]] = []
    for (index, piece) in pieces.enumerated().reversed() {
      let elements = head.elements(of: problem, tokens: piece, width: problem.valueWidth)
      let cotangent = ReferenceTensor(
        [1, piece.count, 1, problem.valueWidth], values(problem.operands.count, elements))
      var results = try evaluate(operation, operands(piece) + [states[index], cotangent, state])
      state = results.removeLast()
      gradients.append(results.map(\.values))
    }
    return gradients[0].indices.map { output in gradients.reversed().flatMap { $0[output] } }
  }
}

/// A head of one sequence.
struct RecurrenceHead: Sendable, Hashable {
  let batch: Int
  let head: Int

  /// Where `width` numbers per token and head lie in a tensor of the large problem.
  func elements(of problem: LinearAttentionProblem, tokens: Range<Int>, width: Int) -> [Int] {
    tokens.flatMap { token in
      let start = ((batch * problem.time + token) * problem.heads + head) * width
      return start..<start + width
    }
  }

  func state(of problem: LinearAttentionProblem) -> [Int] {
    let count = problem.width * problem.valueWidth
    return Array((batch * problem.heads + head) * count..<(batch * problem.heads + head + 1) * count)
  }
}

/// The results of one head in both precisions, made once for all outputs.
final class RecurrenceHeadReference: Sendable {
  typealias Values = (truth: [[Double]], plain: [[Double]])

  private let problem: LinearAttentionProblem
  private let head: RecurrenceHead
  private let made = Mutex<Values?>(nil)

  init(_ problem: LinearAttentionProblem, _ head: RecurrenceHead) {
    self.problem = problem
    self.head = head
  }

  /// - Parameter inputs: Those of the large problem.
  func values(of output: Int, _ inputs: [[Float]]) -> (truth: [Double], plain: [Double]) {
    let all = made.withLock { made in
      let all = made ?? make(inputs)
      made = all
      return all
    }
    return (all.truth[output], all.plain[output])
  }

  private func make(_ inputs: [[Float]]) -> Values {
    do {
      let truth = try RecurrenceWalk<Double>(problem: problem, head: head, inputs: inputs).results()
      let plain = try RecurrenceWalk<Float>(problem: problem, head: head, inputs: inputs).results()
      return (truth, plain.map { $0.map(Double.init) })
    } catch {
      // The large problem of the same widths was accepted already.
      preconditionFailure("\(error)")
    }
  }
}
