import Glibc

/// The values that a parameter of a new model starts with.
public enum ParameterStart: Sendable {
  /// Normal with mean 0.
  case normal(deviation: Double)
  case constant(Float)
  /// From a uniform number in 0..<1 per element.
  case uniform(@Sendable (Double) -> Double)
  /// From the element's number.
  case indexed(@Sendable (Int) -> Float)

  /// Gains start at 1, biases at 0.
  static func gainOrBias(_ name: String) -> ParameterStart { .constant(name.hasSuffix(".bias") ? 0 : 1) }

  /// Uniform within 1 / sqrt(taps), as depthwise convolutions of others start.
  static func convolution(taps: Int) -> ParameterStart {
    let bound = 1 / Double(max(1, taps)).squareRoot()
    return .uniform { (2 * $0 - 1) * bound }
  }

  /// Identity matrices of this width behind each other.
  static func identities(width: Int) -> ParameterStart {
    .indexed { $0 / width % width == $0 % width ? 1 : 0 }
  }

  /// The inverse of softplus of steps that are log-uniform in [1e-3, 1e-1].
  static let stepBias = ParameterStart.uniform {
    let step = exp(log(1e-3) + $0 * (log(1e-1) - log(1e-3)))
    return step + log(-expm1(-step))
  }

  /// The values, a pure function of the seed and the parameter's name.
  func values(count: Int, seed: UInt64, name: String) -> [Float] {
    let random = CounterRandom(seed: seed, stream: name)
    switch self {
    case .normal(let deviation): return random.normals(count, deviation: deviation)
    case .constant(let value): return [Float](repeating: value, count: count)
    case .indexed(let value): return (0..<count).map(value)
    case .uniform(let map): return (0..<count).map { Float(map(random.uniform(UInt64($0)))) }
    }
  }
}
