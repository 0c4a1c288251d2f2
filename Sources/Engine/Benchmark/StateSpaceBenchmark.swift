import Kernels

/// The recurrence of an S4D layer to be timed.
public struct StateSpaceProblem: Sendable, Hashable {
  public var pass: LinearAttentionProblem.Pass
  public var batch: Int
  /// Tokens of a sequence; 1 in decoding.
  public var time: Int
  public var channels: Int
  /// Complex states of a channel.
  public var states: Int

  /// The mixer's name in configurations.
  public static let mixer = "s4d"

  public init(
    _ pass: LinearAttentionProblem.Pass, batch: Int = 1, time: Int, channels: Int, states: Int,
  ) {
    self.pass = pass
    self.batch = batch
    self.time = pass == .decode ? 1 : time
    self.channels = channels
    self.states = states
  }

  private var operation: any Operation {
    pass == .backward
      ? S4DGradient(of: S4D(), hasFinalCotangents: false) : S4D(hasInitialState: pass == .decode)
  }

  private var rows: Sample.Input { .init([batch, time, channels]) }

  private var inputs: [Sample.Input] {
    let matrix = Shape([channels, states])
    let state = Sample.Input([batch, channels, states])
    let parameters: [Sample.Input] = [
      .init([channels], .float32, .uniform(-6.9 ... -2.3)), .init(matrix, .float32, .uniform(-1...0)),
      .init(matrix, .float32, .uniform(0...100)), .init(matrix), .init(matrix), .init([channels]),
    ]
    return [rows] + parameters
      + (pass == .decode ? [state, state] : pass == .backward ? [rows] : [])
  }

  fileprivate var tensors: [Shape] {
    inputs.map(\.type.shape) + [rows.type.shape] + (pass == .backward ? [] : [[batch, channels, states]])
  }

  fileprivate var whole: OperationProblem {
    let chosen = BenchmarkChoice("channels").numbers(2, of: 0..<channels)
    return OperationProblem(
      operation, inputs,
      check: BenchmarkCheck(chosen.map { part($0) }, factor: pass == .backward ? 3 : 2))
  }

  /// One channel of all sequences.
  private func part(_ channel: Int) -> BenchmarkCheck.Part {
    let tokens = (0..<batch * time).map { $0 * channels + channel }
    let line = (0..<states).map { channel * states + $0 }
    let state = (0..<batch).flatMap { sequence in line.map { sequence * channels * states + $0 } }
    let column = BenchmarkCheck.Operand([batch, time, 1], tokens)
    let matrix = BenchmarkCheck.Operand([1, states], line)
    let number = BenchmarkCheck.Operand([1], [channel])
    let final = BenchmarkCheck.Operand([batch, 1, states], state)
    let operands =
      [column, number, matrix, matrix, matrix, matrix, number]
      + (pass == .decode ? [final, final] : pass == .backward ? [column] : [])
    let places =
      pass == .backward ? [tokens, [channel], line, line, line, line, [channel]] : [tokens, state, state]
    return BenchmarkCheck.Part(
      operation: operation, inputs: operands,
      results: places.enumerated().map { .init($0, ofWhole: $1) })
  }
}

extension KernelBenchmark {
  /// The recurrence of an S4D layer on random operands, beside the other mixers' recurrences.
  public static func stateSpace(_ problem: StateSpaceProblem) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("mixer", StateSpaceProblem.mixer), .init("time", "\(problem.time)"),
      .init("channels", "\(problem.channels)"), .init("states", "\(problem.states)"),
      .init("batch", "\(problem.batch)"),
    ]
    return KernelBenchmark(
      "linear_attention_\(problem.pass.rawValue)", parameters, tensors: problem.tensors
    ) { device in
      var prepared = try PreparedBenchmark(problem.whole, on: device)
      prepared.tokens = problem.batch * problem.time
      return prepared
    }
  }
}
