import Glibc

/// The learning rate of each update: linear warm-up, then a decay.
public struct LearningRateSchedule: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case constant
    case linear
    case cosine
    case inverseSquareRoot = "inverse_sqrt"
    /// Warm-up, stable, decay: any checkpoint of the stable part can be branched and annealed.
    case wsd
  }

  /// How the last part of ``Kind/wsd`` falls.
  public enum DecayShape: String, Sendable, Hashable, CaseIterable {
    case linear
    case cosine
    case squareRoot = "1_sqrt"
  }

  public var kind: Kind
  public var peak: Double
  public var minimum: Double
  public var totalSteps: Int
  public var warmupSteps: Int
  public var decaySteps: Int
  public var decayShape: DecayShape

  public init(
    kind: Kind, peak: Double, minimum: Double = 0, totalSteps: Int, warmupSteps: Int = 0, decaySteps: Int = 0,
    decayShape: DecayShape = .linear,
  ) {
    self.kind = kind
    self.peak = peak
    self.minimum = minimum
    self.totalSteps = totalSteps
    self.warmupSteps = warmupSteps
    self.decaySteps = decaySteps
    self.decayShape = decayShape
  }

  /// The rate of update `step`, counted from 1.
  public func callAsFunction(_ step: Int) -> Double {
    let t = Double(step)
    let warmup = Double(warmupSteps)
    if step < warmupSteps { return peak * t / warmup }
    let span = max(1, Double(totalSteps - warmupSteps))
    let progress = min(1, max(0, (t - warmup) / span))
    switch kind {
    case .constant: return peak
    case .linear: return minimum + (peak - minimum) * (1 - progress)
    case .cosine: return minimum + (peak - minimum) * 0.5 * (1 + cos(Double.pi * progress))
    case .inverseSquareRoot: return warmupSteps > 0 ? peak * (warmup / t).squareRoot() : peak / t.squareRoot()
    case .wsd: return decayed(after: t)
    }
  }

  private func decayed(after t: Double) -> Double {
    let start = Double(totalSteps - decaySteps)
    guard t > start, decaySteps > 0 else { return peak }
    let q = min(1, (t - start) / Double(decaySteps))
    let factor: Double
    switch decayShape {
    case .linear: factor = 1 - q
    case .cosine: factor = 0.5 * (1 + cos(Double.pi * q))
    case .squareRoot: factor = 1 - q.squareRoot()
    }
    return minimum + (peak - minimum) * factor
  }
}
