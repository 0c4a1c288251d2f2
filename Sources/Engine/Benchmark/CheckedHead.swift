import Kernels
import Synchronization

/// Some columns of the values of one head of one sequence: what a benchmark compares with the definition.
///
/// The columns of a state do not meet each other, so that a head with these alone gives their outputs and states. In the
/// backward the head's cotangent is zero in all others, which makes the gradients of queries, keys and gates those of the
/// few columns, too.
struct CheckedHead: Sendable, Hashable {
  let batch: Int
  let head: Int
  let columns: [Int]

  /// How many columns are compared at most; the first and the last are among them.
  private static let mostColumns = 4

  /// The same choice in every run.
  init(of problem: LinearAttentionProblem) {
    let random = CounterRandom(
      seed: 5, stream: "recurrence \(problem.batch) \(problem.time) \(problem.heads)")
    batch = random.integer(0, below: problem.batch)
    head = random.integer(1, below: problem.heads)
    columns = BenchmarkChoice("recurrence columns").numbers(Self.mostColumns, of: 0..<problem.valueWidth)
  }

  /// Where the numbers of an operand lie in a tensor of the large problem.
  func elements(of operand: RecurrenceOperand, _ size: RecurrenceExtents, tokens: Range<Int>) -> [Int] {
    if operand.extent == .perHead { return [head] }
    return tokens.flatMap { time -> [Int] in
      let all = operand.elements(size, batch: batch, time: time, head: head)
      return operand.extent == .value ? columns.map { all.lowerBound + $0 } : Array(all)
    }
  }

  func state(_ size: RecurrenceExtents) -> [Int] {
    (0..<size.width).flatMap { row in
      columns.map { size.statePlace(batch, head) + row * size.valueWidth + $0 }
    }
  }

  /// A cotangent of the large problem.
  func cotangent(of problem: LinearAttentionProblem) -> [Float] {
    let (size, width) = (problem.size, problem.valueWidth)
    var values = BenchmarkValues.make(
      .normal(deviation: 1), count: problem.outputShape.count, stream: "cotangent")
    let others = Set(0..<width).subtracting(columns)
    for time in 0..<problem.time {
      let row = size.row(batch, time, head, width: width)
      for column in others { values[row + column] = 0 }
    }
    return values
  }
}

/// The checked columns by the definition, in pieces that hand their state on: memory does not grow with the length.
private struct CheckedWalk<Forward: Recurrence, Scalar: ReferenceScalar> {
  let problem: LinearAttentionProblem
  let head: CheckedHead
  /// The same recurrence behind a state.
  let forward: Forward
  /// The values of the large problem: the recurrence's inputs, then a state or a cotangent.
  let inputs: [[Float]]

  private static var pieceLength: Int { 256 }

  private var pieces: [Range<Int>] {
    stride(from: 0, to: problem.time, by: Self.pieceLength).map {
      $0..<min(problem.time, $0 + Self.pieceLength)
    }
  }

  private func size(_ piece: Range<Int>) -> RecurrenceExtents {
    RecurrenceExtents(
      query: [1, piece.count, 1, problem.width], value: [1, piece.count, 1, head.columns.count])
  }

  private func values(_ input: Int, _ elements: [Int]) -> [Scalar] {
    elements.map { Scalar(inputs[input][$0]) }
  }

  /// The recurrence's inputs for some tokens.
  private func operands(_ piece: Range<Int>) -> [ReferenceTensor<Scalar>] {
    let size = size(piece)
    return forward.operands.enumerated().map { index, operand in
      let elements = head.elements(of: operand, problem.size, tokens: piece)
      return ReferenceTensor(operand.shape(size), values(index, elements))
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

  /// The output of every piece, and the states in front of every piece and behind the last.
  private func walk() throws -> (outputs: [[Scalar]], states: [ReferenceTensor<Scalar>]) {
    var states = [ReferenceTensor<Scalar>(size(0..<1).stateShape)]
    if problem.pass == .decode {
      states[0].values = values(forward.operands.count, head.state(problem.size))
    }
    var outputs: [[Scalar]] = []
    for (index, piece) in pieces.enumerated() {
      let results = try evaluate(forward, operands(piece) + [states[index]])
      outputs.append(results[0].values)
      states.append(results[1])
    }
    return (outputs, states)
  }

  /// The checked values of every output of the problem.
  func results() throws -> [[Scalar]] {
    let (outputs, states) = try walk()
    guard problem.pass == .backward else {
      return [outputs.flatMap { $0 }, states[states.count - 1].values]
    }
    let operation = problem.gradient(forward, hasFinalCotangent: true)
    var state = ReferenceTensor<Scalar>(states[0].shape)
    var gradients: [[[Scalar]]] = []
    for (index, piece) in pieces.enumerated().reversed() {
      let output = RecurrenceOperand("output", .value)
      let elements = head.elements(of: output, problem.size, tokens: piece)
      let cotangent = ReferenceTensor(
        output.shape(size(piece)), values(forward.operands.count, elements))
      var results = try evaluate(operation, operands(piece) + [states[index], cotangent, state])
      state = results.removeLast()
      gradients.append(results.map(\.values))
    }
    return gradients[0].indices.map { output in gradients.reversed().flatMap { $0[output] } }
  }
}

/// The checked columns in both precisions, made once for all outputs.
final class CheckedHeadReference: Sendable {
  typealias Values = (truth: [[Double]], plain: [[Double]])

  private let problem: LinearAttentionProblem
  private let head: CheckedHead
  private let made = Mutex<Values?>(nil)

  init(_ problem: LinearAttentionProblem, _ head: CheckedHead) {
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

  /// Every type is named, so that its reference is compiled for it: the generic one is many times slower.
  private func make(_ inputs: [[Float]]) -> Values {
    switch problem.mixer.operation(problem.options(hasInitialState: true)) {
    case let forward as ScalarGatedLinearAttention: make(forward, inputs)
    case let forward as GatedDeltaRule: make(forward, inputs)
    case let forward as GatedLinearAttention: make(forward, inputs)
    case let forward as RWKV7: make(forward, inputs)
    case let forward: make(forward, inputs)
    }
  }

  private func make<Forward: Recurrence>(_ forward: Forward, _ inputs: [[Float]]) -> Values {
    do {
      let truth = CheckedWalk<Forward, Double>(problem: problem, head: head, forward: forward, inputs: inputs)
      let plain = CheckedWalk<Forward, Float>(problem: problem, head: head, forward: forward, inputs: inputs)
      return (try truth.results(), try plain.results().map { $0.map(Double.init) })
    } catch {
      // The large problem of the same widths was accepted already.
      preconditionFailure("\(error)")
    }
  }
}
