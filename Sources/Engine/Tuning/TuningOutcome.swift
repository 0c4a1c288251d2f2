/// What became of one configuration.
public enum TuningOutcome: Sendable, Hashable {
  /// Seconds of the configuration and of the family's standard, measured in turns.
  case measured(candidate: [Double], standard: [Double])
  /// Its result disagrees with the reference; it was not timed.
  case wrong(reason: String)
  /// It does not build or launch.
  case failed(reason: String)
  /// Nothing came back in time; the process that tried was ended.
  case hung(afterSeconds: Double)
  /// The process that tried it died.
  case crashed(reason: String)

  /// Median seconds of the configuration and of the standard; nil when it was not timed.
  public var medians: (candidate: Double, standard: Double)? {
    guard case .measured(let candidate, let standard) = self, !candidate.isEmpty, !standard.isEmpty else {
      return nil
    }
    return (Quantile.of(candidate.sorted(), 0.5), Quantile.of(standard.sorted(), 0.5))
  }

  /// How much faster than the standard: above 1 is better; nil when it was not timed.
  public var gain: Double? { medians.map { $0.standard / $0.candidate } }

  /// Whether the gain is more than noise: the slower quartile of the candidate beats the faster one of the standard,
  /// and the medians differ by at least ``leastGain``.
  public var isClearGain: Bool {
    guard case .measured(let candidate, let standard) = self, let gain else { return false }
    return gain >= 1 + Self.leastGain
      && Quantile.of(candidate.sorted(), 0.75) < Quantile.of(standard.sorted(), 0.25)
  }

  /// Below this share a gain is not worth an entry.
  public static let leastGain = 0.02
}
