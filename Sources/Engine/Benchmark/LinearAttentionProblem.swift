import Kernels

/// A linear mixer's recurrence to be timed.
public struct LinearAttentionProblem: Sendable, Hashable {
  public enum Pass: String, Sendable, Hashable, CaseIterable {
    case forward
    /// The gradient alone, which makes the states again.
    case backward
    /// One more token behind a state.
    case decode
  }

  public var mixer: Mixer
  public var pass: Pass
  public var batch: Int
  /// Tokens of a sequence; 1 for ``Pass/decode``.
  public var time: Int
  public var heads: Int
  /// Values of a query's and a key's head.
  public var width: Int
  /// Values of a value's head.
  public var valueWidth: Int

  /// The widest head that there are recurrences for.
  public static let largestWidth = RecurrenceExtents.largestWidth

  public init(
    _ mixer: Mixer, _ pass: Pass, batch: Int = 1, time: Int, heads: Int, width: Int, valueWidth: Int,
  ) {
    self.mixer = mixer
    self.pass = pass
    self.batch = batch
    self.time = pass == .decode ? 1 : time
    self.heads = heads
    self.width = width
    self.valueWidth = valueWidth
  }

  func options(hasInitialState: Bool) -> RecurrenceOptions {
    RecurrenceOptions(scale: mixer.scale(width: width), hasInitialState: hasInitialState)
  }

  var operands: [RecurrenceOperand] { mixer.operation(options(hasInitialState: false)).operands }

  var size: RecurrenceExtents {
    RecurrenceExtents(query: [batch, time, heads, width], value: [batch, time, heads, valueWidth])
  }

  /// The inputs of the recurrence without a state.
  var inputs: [Sample.Input] {
    operands.map { .init($0.shape(size), .float32, mixer.fill($0.name, width: width)) }
  }

  var outputShape: Shape { [batch, time, heads, valueWidth] }
  var stateShape: Shape { size.stateShape }
}

extension LinearAttentionProblem {
  /// A recurrence under its mixer's name in configurations.
  public enum Mixer: String, Sendable, Hashable, CaseIterable {
    case linear
    case retention
    case scalarGate = "scalar_gate"
    case delta
    case gatedDelta = "gated_delta"
    case gatedLinear = "gated_linear"
    case rwkv7

    func scale(width: Int) -> Float { self == .rwkv7 ? 1 : 1 / Float(width).squareRoot() }

    /// Values of an operand.
    func fill(_ operand: String, width: Int) -> Sample.Fill {
      // Rows of a length below 1: with longer keys the state of a delta rule would grow.
      let short = Sample.Fill.normal(deviation: 0.6 / Double(width).squareRoot())
      return switch operand {
      case "key" where self == .delta || self == .gatedDelta: short
      case "removal", "replacement": short
      case "log_decay", "log_gate": .uniform(-0.7 ... -0.01)
      case "beta": .uniform(0...1)
      default: .normal(deviation: 1)
      }
    }

    func operation(_ options: RecurrenceOptions) -> any Recurrence {
      switch self {
      case .linear: ScalarGatedLinearAttention(.none, options)
      case .retention: ScalarGatedLinearAttention(.perHead, options)
      case .scalarGate: ScalarGatedLinearAttention(.perToken, options)
      case .delta: GatedDeltaRule(hasGate: false, options)
      case .gatedDelta: GatedDeltaRule(hasGate: true, options)
      case .gatedLinear: GatedLinearAttention(options)
      case .rwkv7: RWKV7(options)
      }
    }

    /// Whether training asks for the gradient of the gate: retention's decays are constants.
    var needsOptionalGradient: Bool { self != .retention }
  }

  /// The gradients that training asks for.
  func gradient<Forward: Recurrence>(_ forward: Forward, hasFinalCotangent: Bool) -> RecurrenceGradient<
    Forward
  > {
    RecurrenceGradient(
      forward, hasFinalCotangent: hasFinalCotangent, needsOptional: mixer.needsOptionalGradient)
  }
}
