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

  var operands: [Mixer.Operand] { mixer.operands(width: width, valueWidth: valueWidth) }

  /// The inputs of the recurrence without a state.
  var inputs: [Sample.Input] {
    operands.map { .init($0.shape(batch: batch, time: time, heads: heads), .float32, $0.fill) }
  }

  var outputShape: Shape { [batch, time, heads, valueWidth] }
  var stateShape: Shape { [batch, heads, width, valueWidth] }
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

    /// An input in front of the optional ones.
    struct Operand: Sendable {
      enum Extent: Sendable {
        /// [batch, time, heads, width].
        case row(Int)
        /// [batch, time, heads].
        case number
        /// [heads].
        case perHead
      }

      let name: String
      let extent: Extent
      let fill: Sample.Fill

      func shape(batch: Int, time: Int, heads: Int) -> Shape {
        switch extent {
        case .row(let width): [batch, time, heads, width]
        case .number: [batch, time, heads]
        case .perHead: [heads]
        }
      }
    }

    func scale(width: Int) -> Float { self == .rwkv7 ? 1 : 1 / Float(width).squareRoot() }

    /// The inputs of ``operation(_:)`` up to the optional ones.
    func operands(width: Int, valueWidth: Int) -> [Operand] {
      let ordinary = Sample.Fill.normal(deviation: 1)
      // Rows of a length below 1: with longer keys the state of a delta rule would grow.
      let short = Sample.Fill.normal(deviation: 0.6 / Double(width).squareRoot())
      let isDelta = self == .delta || self == .gatedDelta
      let rows = [
        Operand(name: "query", extent: .row(width), fill: ordinary),
        Operand(name: "key", extent: .row(width), fill: isDelta ? short : ordinary),
        Operand(name: "value", extent: .row(valueWidth), fill: ordinary),
      ]
      let gates = Sample.Fill.uniform(-0.7 ... -0.01)
      let beta = Operand(name: "beta", extent: .number, fill: .uniform(0...1))
      switch self {
      case .linear: return rows
      case .retention: return rows + [Operand(name: "log_decay", extent: .perHead, fill: gates)]
      case .scalarGate: return rows + [Operand(name: "log_gate", extent: .number, fill: gates)]
      case .delta: return rows + [beta]
      case .gatedLinear: return rows + [Operand(name: "log_gate", extent: .row(width), fill: gates)]
      case .rwkv7:
        return [
          Operand(name: "receptance", extent: .row(width), fill: ordinary),
          Operand(name: "log_decay", extent: .row(width), fill: gates), rows[1],
          Operand(name: "removal", extent: .row(width), fill: short),
          Operand(name: "replacement", extent: .row(width), fill: short), rows[2],
        ]
      case .gatedDelta: return rows + [beta, Operand(name: "log_gate", extent: .number, fill: gates)]
      }
    }

    func operation(_ options: RecurrenceOptions) -> any DifferentiableOperation {
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

    /// The gradients that training asks for: retention's decays are constants.
    func gradient(_ options: RecurrenceOptions, hasFinalCotangent: Bool) -> any Operation {
      switch self {
      case .linear, .retention:
        ScalarGatedLinearAttentionGradient(
          ScalarGatedLinearAttention(self == .linear ? .none : .perHead, options),
          hasFinalCotangent: hasFinalCotangent, needsGate: false)
      case .scalarGate:
        ScalarGatedLinearAttentionGradient(
          ScalarGatedLinearAttention(.perToken, options), hasFinalCotangent: hasFinalCotangent,
          needsGate: true)
      case .delta, .gatedDelta:
        GatedDeltaRuleGradient(
          GatedDeltaRule(hasGate: self == .gatedDelta, options), hasFinalCotangent: hasFinalCotangent,
          needsGate: self == .gatedDelta)
      case .gatedLinear:
        GatedLinearAttentionGradient(GatedLinearAttention(options), hasFinalCotangent: hasFinalCotangent)
      case .rwkv7: RWKV7Gradient(RWKV7(options), hasFinalCotangent: hasFinalCotangent)
      }
    }
  }
}
