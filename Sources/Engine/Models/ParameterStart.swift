/// The values that a parameter of a new model starts with.
public enum ParameterStart: Sendable {
  /// Normal with mean 0.
  case normal(deviation: Double)
  case constant(Float)
  /// From a uniform number in 0..<1 per element.
  case uniform(@Sendable (Double) -> Double)

  /// Gains start at 1, biases at 0.
  static func gainOrBias(_ name: String) -> ParameterStart { .constant(name.hasSuffix(".bias") ? 0 : 1) }

  /// The values, a pure function of the seed and the parameter's name.
  func values(count: Int, seed: UInt64, name: String) -> [Float] {
    let random = CounterRandom(seed: seed, stream: name)
    switch self {
    case .normal(let deviation): return random.normals(count, deviation: deviation)
    case .constant(let value): return [Float](repeating: value, count: count)
    case .uniform(let map): return (0..<count).map { Float(map(random.uniform(UInt64($0)))) }
    }
  }
}
