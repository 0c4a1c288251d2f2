@testable import Engine

/// Expressions grown at random from a seed, finite everywhere.
struct RandomExpression {
  let seed: UInt64
  /// Whether abs, maximum, minimum and choices appear: they have points without a slope.
  let hasKinks: Bool
  static let inputCount = 3

  func program(outputs: Int) -> PointwiseProgram {
    PointwiseProgram(inputs: Self.inputCount) { inputs in
      var growth = Growth(
        random: CounterRandom(seed: seed, stream: "expression"), inputs: inputs, hasKinks: hasKinks)
      return (0..<outputs).map { _ in growth.expression(depth: 4) }
    }
  }

  private struct Growth {
    let random: CounterRandom
    let inputs: [PointwiseValue]
    let hasKinks: Bool
    private var counter: UInt64 = 0

    init(random: CounterRandom, inputs: [PointwiseValue], hasKinks: Bool) {
      self.random = random
      self.inputs = inputs
      self.hasKinks = hasKinks
    }

    private mutating func choice(_ count: Int) -> Int {
      counter += 1
      return random.integer(counter, below: count)
    }

    mutating func expression(depth: Int) -> PointwiseValue {
      if depth == 0 || choice(12) == 0 { return inputs[choice(inputs.count)] }
      let a = expression(depth: depth - 1)
      switch choice(hasKinks ? 14 : 10) {
      case 0: return a + expression(depth: depth - 1)
      case 1: return a - expression(depth: depth - 1)
      case 2: return a * expression(depth: depth - 1)
      case 3:
        let b = expression(depth: depth - 1)
        return a / (1.5 + b * b)
      case 4: return a.tanh().exp()
      case 5: return (1 + a * a).log()
      case 6: return (0.25 + a * a).sqrt()
      case 7: return a.tanh()
      case 8: return a.erf()
      case 9: return 0.75 - (-a)
      case 10: return a.abs()
      case 11: return a.maximum(expression(depth: depth - 1))
      case 12: return a.minimum(expression(depth: depth - 1))
      default:
        let (b, c) = (expression(depth: depth - 1), expression(depth: depth - 1))
        return a.isLess(than: b).select(c, a * b)
      }
    }
  }
}
