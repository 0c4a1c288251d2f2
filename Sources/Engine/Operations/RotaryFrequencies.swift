import Glibc
public import Kernels

/// How rotary frequencies are stretched for contexts longer than those of pretraining.
///
/// Names and numbers as in configurations (`rope_scaling`).
public enum RotaryScaling: Sendable, Hashable {
  case none
  /// Every frequency divided by `factor`.
  case linear(factor: Double)
  /// Long wavelengths divided, short ones kept, a ramp between.
  case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContext: Int)
  /// Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023.
  case yarn(factor: Double, betaFast: Double = 32, betaSlow: Double = 1, originalContext: Int)
}

/// The angles per position of rotary embeddings, in double precision.
///
/// Pair m of `rotaryDimensions / 2` turns by `theta^(-2m / rotaryDimensions)` per position, changed by the scaling.
/// Products of position and frequency in single precision would be wrong by 1e-3 rad at position 30,000.
///
/// - SeeAlso: Su et al., "RoFormer", 2021.
public struct RotaryFrequencies: Sendable, Hashable {
  /// Radians per position, [rotaryDimensions / 2].
  public let inverseFrequencies: [Double]
  /// Multiplies cosines and sines (YaRN: 0.1 ln(factor) + 1); 1 otherwise.
  public let attentionFactor: Double

  /// - Parameters:
  ///   - rotaryDimensions: How many values of a head turn; even.
  ///   - theta: Base of the frequencies, at least 1.
  ///   - attentionFactor: Overrides what the scaling says.
  /// - Throws: ``RotaryError`` for values out of range.
  public init(
    rotaryDimensions: Int, theta: Double, scaling: RotaryScaling = .none, attentionFactor: Double? = nil,
  ) throws(RotaryError) {
    guard rotaryDimensions > 0, rotaryDimensions.isMultiple(of: 2) else {
      throw RotaryError("rotary dimensions", "\(rotaryDimensions)", "a positive even number")
    }
    guard theta.isFinite, theta > 1 else { throw RotaryError("theta", "\(theta)", "a number above 1") }
    if let attentionFactor, !(attentionFactor.isFinite && attentionFactor > 0) {
      throw RotaryError("attention factor", "\(attentionFactor)", "a positive number")
    }
    let plain = (0..<rotaryDimensions / 2).map { pow(theta, -2 * Double($0) / Double(rotaryDimensions)) }
    inverseFrequencies = try Self.scaled(plain, by: scaling, theta: theta)
    if case .yarn(let factor, _, _, _) = scaling {
      self.attentionFactor = attentionFactor ?? (factor > 1 ? 0.1 * log(factor) + 1 : 1)
    } else {
      self.attentionFactor = attentionFactor ?? 1
    }
  }

  public var rotaryDimensions: Int { 2 * inverseFrequencies.count }

  private static func scaled(
    _ frequencies: [Double], by scaling: RotaryScaling, theta: Double,
  ) throws(RotaryError) -> [Double] {
    switch scaling {
    case .none: return frequencies
    case .linear(let factor):
      try require(factor, "scaling factor")
      return frequencies.map { $0 / factor }
    case .llama3(let factor, let low, let high, let originalContext):
      try require(factor, "scaling factor")
      try require(low, "low frequency factor")
      guard high.isFinite, high > low else {
        throw RotaryError("high frequency factor", "\(high)", "above the low one, \(low)")
      }
      try require(Double(originalContext), "original context")
      return llama3(frequencies, factor, low, high, Double(originalContext))
    case .yarn(let factor, let betaFast, let betaSlow, let originalContext):
      try require(factor, "scaling factor")
      try require(betaSlow, "beta slow")
      try require(betaFast, "beta fast")
      try require(Double(originalContext), "original context")
      return yarn(frequencies, factor, betaFast, betaSlow, Double(originalContext), theta)
    }
  }

  private static func require(_ value: Double, _ name: String) throws(RotaryError) {
    guard value.isFinite, value > 0 else { throw RotaryError(name, "\(value)", "a positive number") }
  }

  private static func llama3(
    _ frequencies: [Double], _ factor: Double, _ low: Double, _ high: Double, _ context: Double,
  ) -> [Double] {
    frequencies.map { frequency in
      let wavelength = 2 * Double.pi / frequency
      if wavelength > context / low { return frequency / factor }
      if wavelength < context / high { return frequency }
      let kept = (context / wavelength - low) / (high - low)
      return (1 - kept) * frequency / factor + kept * frequency
    }
  }

  private static func yarn(
    _ frequencies: [Double], _ factor: Double, _ betaFast: Double, _ betaSlow: Double, _ context: Double,
    _ theta: Double,
  ) -> [Double] {
    let dimensions = Double(2 * frequencies.count)
    // The pair that turns `rotations` times within the original context.
    func pair(_ rotations: Double) -> Double {
      dimensions * log(context / (2 * Double.pi * rotations)) / (2 * log(theta))
    }
    let low = max(pair(betaFast).rounded(.down), 0)
    var high = min(pair(betaSlow).rounded(.up), dimensions - 1)
    // A ramp of no width would divide by zero.
    if high == low { high += 0.001 }
    return frequencies.enumerated().map { index, frequency in
      let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
      return frequency / factor * ramp + frequency * (1 - ramp)
    }
  }
}

/// Rotary settings that make no sense.
public struct RotaryError: Error, CustomStringConvertible {
  public let setting: String
  public let value: String
  public let expected: String

  init(_ setting: String, _ value: String, _ expected: String) {
    self.setting = setting
    self.value = value
    self.expected = expected
  }

  public var description: String {
    "rotary embedding: \(setting) is \(value)\n  expected: \(expected)\n  hint: see the model's rope settings"
  }
}

/// Cosines and sines of every position and pair on a device, times the attention factor.
public struct RotaryTable {
  /// Cosines, [positions, rotaryDimensions / 2].
  public let cosine: Tensor
  /// Sines, [positions, rotaryDimensions / 2].
  public let sine: Tensor

  /// - Parameters:
  ///   - first: Position of the first row.
  ///   - positions: Number of positions; usually the longest context.
  ///   - device: Where the table is kept.
  public init(_ frequencies: RotaryFrequencies, from first: Int = 0, positions: Int, on device: any Device) {
    let (cosines, sines) = frequencies.table(from: first, positions: positions)
    let shape = Shape([positions, frequencies.inverseFrequencies.count])
    cosine = Tensor(cosines, shape: shape, on: device)
    sine = Tensor(sines, shape: shape, on: device)
  }

  /// A table without values, for a device that only plans: sines of millions of positions would take minutes.
  init(planned frequencies: RotaryFrequencies, positions: Int, on device: any Device) {
    let shape = Shape([positions, frequencies.inverseFrequencies.count])
    cosine = Tensor(device.allocate(shape.count, of: .float32), shape: shape)
    sine = Tensor(device.allocate(shape.count, of: .float32), shape: shape)
  }

  public var positions: Int { cosine.shape[0] }
  public var rotaryDimensions: Int { 2 * cosine.shape[1] }
}

extension RotaryFrequencies {
  /// Cosines and sines times the attention factor, row by row for the positions from `first` on; angles in double
  /// precision.
  public func table(from first: Int = 0, positions: Int) -> (cosine: [Float], sine: [Float]) {
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions * inverseFrequencies.count)
    sines.reserveCapacity(positions * inverseFrequencies.count)
    for position in first..<first + positions {
      for frequency in inverseFrequencies {
        let angle = Double(position) * frequency
        cosines.append(Float(cos(angle) * attentionFactor))
        sines.append(Float(sin(angle) * attentionFactor))
      }
    }
    return (cosines, sines)
  }
}
