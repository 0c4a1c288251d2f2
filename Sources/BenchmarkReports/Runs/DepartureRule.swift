import Terminal

/// When something that is measured in every few steps has left its usual band.
///
/// Usual is the median of what came before, so that a single bad step does not move it.
public struct DepartureRule: Sendable, Hashable {
  /// Decibels that a signal-to-noise ratio may fall below its median.
  public var signalToNoiseDrop = 6.0
  /// Share of saturated numbers that is never unusual.
  public var saturation = 0.1
  /// By how much the share of numbers lost to zero may rise above its median.
  public var underflowRise = 0.2
  /// Measurements of an operand that a median needs at least, and that it is taken of at most.
  public var measurements = 3...8
  /// Updates that the medians of loss and gradient norm need at least, and that they are taken of at most.
  public var updates = 10...50
  /// Robust deviations that a loss may lie above its median.
  public var lossDeviations = 8.0
  /// Times its median that a gradient norm may be.
  public var gradientNormFactor = 10.0

  public init() {}

  /// The rule in words.
  public var text: String {
    "unusual: a number that is not finite; a signal-to-noise ratio more than \(Numbers.significant(signalToNoiseDrop)) dB below, "
      + "a share lost to zero more than \(Numbers.significant(underflowRise * 100)) points above, or saturation above "
      + "\(Numbers.significant(saturation * 100)) % and twice its median of the last \(measurements.upperBound) measurements "
      + "(at least \(measurements.lowerBound)); a loss more than \(Numbers.significant(lossDeviations)) robust deviations above, or a "
      + "gradient norm more than \(Numbers.significant(gradientNormFactor)) times its median of the last "
      + "\(updates.upperBound) updates (at least \(updates.lowerBound))"
  }
}

/// The first step in which something left its usual band.
public struct Departure: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case nonFinite = "non_finite"
    case signalToNoise = "sqnr_db"
    case saturation
    case underflow
    case loss
    case gradientNorm = "gradient_norm"

    var title: String {
      switch self {
      case .nonFinite: "not finite"
      case .signalToNoise: "signal to noise"
      case .saturation: "saturation"
      case .underflow: "underflow"
      case .loss: "loss"
      case .gradientNorm: "gradient norm"
      }
    }
  }

  public let kind: Kind
  public let step: Int
  /// Nil for the run's loss and gradient norm.
  public let operand: RoundedOperandName?
  /// Nil where it was not finite.
  public let value: Double?
  /// The median before.
  public let usual: Double?

  /// Which picture shows it.
  var quantity: RoundingQuantity? {
    switch kind {
    case .signalToNoise: .signalToNoise
    case .saturation: .saturation
    case .underflow: .underflow
    case .nonFinite, .loss, .gradientNorm: nil
    }
  }

  /// `step 241: layers.2.mlp.down_proj wgrad_cotangent: signal to noise 3.1 dB, usually 14.2 dB`.
  public var text: String {
    let place = "step \(Numbers.grouped(step)): " + (operand.map { $0.text + ": " } ?? "")
    guard let value else {
      return place + (operand == nil ? "a loss or gradient norm is " : "") + "not finite"
    }
    func number(_ value: Double) -> String { quantity?.text(value) ?? Numbers.significant(value, digits: 4) }
    return place + kind.title + " " + number(value) + (usual.map { ", usually \(number($0))" } ?? "")
  }
}

extension RunHistory {
  /// The first departure of each kind, by rising step; those of one step in the order of the tape.
  public func departures(_ rule: DepartureRule = DepartureRule()) -> [Departure] {
    let all = operandDepartures(rule) + updateDepartures(rule)
    let first = Departure.Kind.allCases.compactMap { kind in
      all.filter { $0.kind == kind }.min { $0.step < $1.step }
    }
    return first.sorted { $0.step < $1.step }
  }

  /// In the order of the measurements, at most one of each kind.
  private func operandDepartures(_ rule: DepartureRule) -> [Departure] {
    var before: [RoundedOperandName: [RoundingQuantity: [Double]]] = [:]
    var found: [Departure.Kind: Departure] = [:]
    for measurement in measurements {
      func note(_ kind: Departure.Kind, _ value: Double?, _ usual: Double?) {
        guard found[kind] == nil else { return }
        found[kind] = Departure(
          kind: kind, step: measurement.step, operand: measurement.name, value: value, usual: usual)
      }
      if measurement.hasNonFinite { note(.nonFinite, nil, nil) }
      for (quantity, kind) in Self.watched {
        guard let value = measurement.values[quantity] else { continue }
        let history = before[measurement.name]?[quantity] ?? []
        if history.count >= rule.measurements.lowerBound, let usual = Self.median(history),
          rule.isUnusual(value, usual, quantity)
        {
          note(kind, value, usual)
        }
        before[measurement.name, default: [:]][quantity] = (history + [value]).suffix(
          rule.measurements.upperBound)
      }
    }
    return Array(found.values)
  }

  private static let watched: [(RoundingQuantity, Departure.Kind)] = [
    (.signalToNoise, .signalToNoise), (.saturation, .saturation), (.underflow, .underflow),
  ]

  private func updateDepartures(_ rule: DepartureRule) -> [Departure] {
    var found: [Departure] = []
    if let update = updates.first(where: { $0.loss == nil || $0.gradientNorm == nil }) {
      found.append(Departure(kind: .nonFinite, step: update.step, operand: nil, value: nil, usual: nil))
    }
    for (index, update) in updates.enumerated() where index >= rule.updates.lowerBound {
      let before = updates[max(0, index - rule.updates.upperBound)..<index]
      let losses = before.compactMap(\.loss)
      if let loss = update.loss, let usual = Self.median(losses),
        let spread = Self.median(losses.map { abs($0 - usual) }),
        // Of a normal distribution this is its deviation; equal losses leave no band.
        loss > usual + rule.lossDeviations * max(1.4826 * spread, 1e-3 * abs(usual))
      {
        found.append(Departure(kind: .loss, step: update.step, operand: nil, value: loss, usual: usual))
      }
      if let norm = update.gradientNorm, let usual = Self.median(before.compactMap(\.gradientNorm)),
        usual > 0,
        norm > rule.gradientNormFactor * usual
      {
        found.append(
          Departure(kind: .gradientNorm, step: update.step, operand: nil, value: norm, usual: usual))
      }
    }
    return found
  }

  /// The middle of the values, of an even number the mean of both; nil of none.
  static func median(_ values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

extension DepartureRule {
  fileprivate func isUnusual(_ value: Double, _ usual: Double, _ quantity: RoundingQuantity) -> Bool {
    switch quantity {
    case .signalToNoise: value < usual - signalToNoiseDrop
    case .saturation: value > max(saturation, 2 * usual)
    case .underflow: value > usual + underflowRise
    case .bias, .kurtosis, .scaleDrift: false
    }
  }
}
