import Kernels

@testable import Engine

/// A linear mixer's recurrence on random operands behind a random state, with cotangents of all its results.
struct RecurrenceRun {
  let problem: LinearAttentionProblem
  /// The recurrence's inputs, without the optional ones.
  var inputs: [[Float]]
  var initialState: [Float]
  let cotangent: [Float]
  let finalCotangent: [Float]

  init(_ mixer: LinearAttentionProblem.Mixer, time: Int, batch: Int = 2, heads: Int = 3) {
    problem = LinearAttentionProblem(
      mixer, .forward, batch: batch, time: time, heads: heads, width: 12, valueWidth: 20)
    func normal(_ shape: Shape, _ stream: String) -> [Float] {
      Sample.values(.normal(deviation: 1), count: shape.count, seed: "\(mixer) \(stream)")
    }
    inputs = problem.inputs.enumerated().map { index, input in
      Sample.values(input.fill, count: input.type.shape.count, seed: "\(mixer) input \(index)")
    }
    initialState = normal(problem.stateShape, "state")
    cotangent = normal(problem.outputShape, "cotangent")
    finalCotangent = normal(problem.stateShape, "final cotangent")
  }

  struct Results {
    var output: [Double]
    var state: [Double]
    /// Of the inputs, then of the initial state.
    var gradients: [[Double]]
  }

  /// How the sequence is run.
  struct Cut {
    /// First tokens of all parts but the first.
    var places: [Int] = []
    /// Parts start from the state behind the part in front; else from zero, all but the first.
    var handsOnState = true
    /// One document number per token, for all sequences the same.
    var documents: [Int32]?
  }

  /// Values and gradients of the sequence, whole or in parts.
  func callAsFunction(on device: any OperationDevice, _ cut: Cut = Cut()) throws -> Results {
    let tape = Tape(on: device, isRecording: true)
    let bounds = [0] + cut.places + [problem.time]
    let first = tape.watch(Tensor(initialState, shape: problem.stateShape, on: device))
    var parts: [Part] = []
    for tokens in zip(bounds, bounds.dropFirst()).map({ $0..<$1 }) {
      let state = parts.isEmpty ? first : cut.handsOnState ? parts[parts.count - 1].state : nil
      parts.append(part(tokens, behind: state, shared: parts.first?.inputs, cut, tape))
    }
    let last = parts[parts.count - 1]
    let cotangents =
      parts.map { RunValues.slice(cotangent, $0.tokens, of: problem.outputShape, on: device) }
      + [Tensor(finalCotangent, shape: problem.stateShape, on: device)]
    let gradients = tape.gradients(
      of: parts.map(\.output) + [last.state], with: cotangents, for: parts.flatMap(\.inputs) + [first])
    let count = problem.operands.count
    let joined = try problem.operands.indices.map { input in
      let shape = problem.inputs[input].type.shape
      if isShared(input) { return try RunValues.read(gradients[input], on: device) }
      return RunValues.join(
        try parts.indices.map { try RunValues.read(gradients[$0 * count + input], on: device) },
        parts.map(\.tokens), of: shape)
    }
    return Results(
      output: RunValues.join(
        try parts.map { try RunValues.read($0.output, on: device) }, parts.map(\.tokens),
        of: problem.outputShape),
      state: try RunValues.read(last.state, on: device),
      gradients: joined + [try RunValues.read(gradients[gradients.count - 1], on: device)])
  }

  private struct Part {
    let tokens: Range<Int>
    let inputs: [Tensor]
    let output: Tensor
    let state: Tensor
  }

  private func part(
    _ tokens: Range<Int>, behind state: Tensor?, shared: [Tensor]?, _ cut: Cut, _ tape: Tape,
  ) -> Part {
    let operands = problem.inputs.enumerated().map { index, input in
      guard isShared(index) else {
        return tape.watch(RunValues.slice(inputs[index], tokens, of: input.type.shape, on: tape.device))
      }
      return shared?[index]
        ?? tape.watch(Tensor(inputs[index], shape: input.type.shape, on: tape.device))
    }
    let documents = cut.documents.map { numbers in
      let all = (0..<problem.batch).flatMap { _ in numbers[tokens] }
      return Tensor(all, shape: [problem.batch, tokens.count], on: tape.device)
    }
    let options = RecurrenceOptions(
      scale: problem.mixer.scale(width: problem.width), hasInitialState: state != nil,
      hasDocuments: documents != nil)
    let outputs = tape.apply(
      problem.mixer.operation(options), operands + [state, documents].compactMap { $0 })
    return Part(tokens: tokens, inputs: operands, output: outputs[0], state: outputs[1])
  }

  /// Whether an input has no time axis, so that all parts read the same.
  private func isShared(_ input: Int) -> Bool { problem.inputs[input].type.shape.rank == 1 }
}
