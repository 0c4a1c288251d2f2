public import Terminal

/// What one or several runs show: pictures, departures, where they part.
public struct RunReport {
  /// A drawing with the name of its file without an ending.
  public struct Picture: Sendable {
    public let name: String
    public let title: String
    public let svg: String
  }

  public let runs: [RunHistory]
  /// By run; the first departure of each kind, by rising step.
  public let departures: [[Departure]]
  /// Of the first run with each of the others.
  public let partings: [RunParting]
  let rule: DepartureRule

  /// - Parameter runs: At least one.
  public init(_ runs: [RunHistory], rule: DepartureRule = DepartureRule()) {
    self.runs = runs
    self.rule = rule
    departures = runs.map { $0.departures(rule) }
    partings = runs.dropFirst().map { RunParting(runs[0], $0) }
  }

  // MARK: Pictures

  public var pictures: [Picture] {
    let curves = RunCurves.Measure.allCases.compactMap { measure in
      RunCurves(runs, measure, departures: departures, partings: partings).map {
        Picture(name: measure.rawValue, title: measure.title, svg: $0.svg())
      }
    }
    return curves + runs.indices.flatMap(heatMaps)
  }

  private func heatMaps(_ index: Int) -> [Picture] {
    let run = runs[index]
    guard !run.measurements.isEmpty else { return [] }
    let history = RoundingHistory(run.measurements)
    return RoundingQuantity.allCases.compactMap { quantity in
      HeatMap(run.name, history, quantity, departures[index]).map {
        let number = runs.count > 1 ? "-\(index + 1)" : ""
        return Picture(name: quantity.rawValue + number, title: quantity.title, svg: $0.svg())
      }
    }
  }

  // MARK: Text

  /// A line for each run: how far it came.
  func summary(_ run: RunHistory) -> String {
    func loss(_ value: Double?) -> String { value.map { Numbers.fixed($0, decimals: 4) } ?? "not finite" }
    var parts = [
      "steps \(Numbers.grouped(run.updates[0].step)) to \(Numbers.grouped(run.updates.last?.step ?? 0))"
    ]
    parts.append("loss \(loss(run.updates[0].loss)) to \(loss(run.updates.last?.loss))")
    if let best = run.updates.last(where: { $0.validationLoss != nil }) {
      parts.append("validation loss \(loss(best.validationLoss)) at step \(Numbers.grouped(best.step))")
    }
    let steps = run.measuredSteps.count
    if steps > 0 {
      let operands = run.measurements.map(\.name).unique().count
      parts.append("rounding of \(operands) operands measured in \(Numbers.grouped(steps)) steps")
    }
    return "\(run.name): " + parts.joined(separator: ", ")
  }

  /// For people; every line on its own.
  public var lines: [String] {
    var lines: [String] = []
    for (run, departures) in zip(runs, departures) {
      lines.append(summary(run))
      if let first = departures.first {
        lines.append("  first departure: \(first.text)")
        lines += departures.dropFirst().map { "  later: \($0.text)" }
      } else {
        lines.append("  nothing left its usual band")
      }
    }
    return lines + partings.map(\.text)
  }

  /// The operands that rounding hurts most: at the parting of the first two runs that part, else at the end of the
  /// first run that measured any.
  public var worst: (title: String, operands: [RoundingMeasurement])? {
    if let parting = partings.first(where: { $0.step != nil && !$0.worst.isEmpty }) {
      return (
        Self.title(parting.worst, "before \(parting.second.name) parts from \(parting.first.name)"),
        parting.worst
      )
    }
    guard let run = runs.first(where: { !$0.measurements.isEmpty }) else { return nil }
    let worst = run.worstOperands(atOrBefore: .max)
    return (Self.title(worst, "of \(run.name), the last measured"), worst)
  }

  private static func title(_ worst: [RoundingMeasurement], _ what: String) -> String {
    "worst operands in step \(Numbers.grouped(worst.first?.step ?? 0)), \(what)"
  }

  /// The worst of ``worst`` first.
  public static func table(_ operands: [RoundingMeasurement], limit: Int = 5) -> Table {
    let shown: [RoundingQuantity] = [.signalToNoise, .underflow, .saturation, .bias, .kurtosis]
    var table = Table(
      [.init("LAYER", .left), .init("OPERAND", .left)]
        + ["SQNR", "UNDERFLOW", "SATURATION", "BIAS", "KURTOSIS"].enumerated().map { index, title in
          .init(title, .right, priority: index)
        })
    for operand in operands.prefix(limit) {
      table.append(
        [operand.name.layer, operand.name.operand]
          + shown.map { quantity in
            operand.hasNonFinite
              ? "not finite" : operand.values[quantity].map { quantity.text($0) } ?? "no error"
          })
    }
    return table
  }

  /// When something counts as a departure.
  public var ruleText: String { rule.text }
}
