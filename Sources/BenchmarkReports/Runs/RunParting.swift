import Terminal

/// Where the losses of two runs on the same data part.
///
/// The noise is that of the first run from batch to batch: the robust deviation of its losses' changes over the last
/// 50 steps, over the square root of 2. The runs part where their difference leaves three times the noise for three
/// common steps on end: while both see the same batches, smaller differences say nothing.
public struct RunParting: Sendable {
  /// Deviations that are no parting, steps that must agree on it, steps that the noise is taken of, and those it needs.
  static let (deviations, lasting, window, least) = (3.0, 3, 50, 10)

  public let first: RunHistory
  public let second: RunHistory
  /// Steps that both have.
  public let commonSteps: Int
  /// Nil where the losses stay together, or where too few steps are common to tell.
  public let step: Int?
  public let losses: (first: Double, second: Double)?
  /// At the step.
  public let noise: Double?
  /// What rounding did at the last measurement before the step, or else at the first one: worst first.
  public let worst: [RoundingMeasurement]

  public init(_ first: RunHistory, _ second: RunHistory) {
    (self.first, self.second) = (first, second)
    let others = Dictionary(second.updates.map { ($0.step, $0.loss) }, uniquingKeysWith: { $1 })
    let pairs = first.updates.compactMap { update -> Pair? in
      others[update.step].map { Pair(step: update.step, first: update.loss, second: $0) }
    }
    commonSteps = pairs.count
    let noises = pairs.indices.map { Self.noise(pairs[..<$0]) }
    let isApart = zip(pairs, noises).map { pair, noise in Self.isApart(pair, noise) }
    let found = pairs.indices.first { index in
      let end = index + Self.lasting
      // A loss that is not finite does not come back.
      return isApart[index]
        && (pairs[index].difference == nil || end <= pairs.count && isApart[index..<end].allSatisfy(\.self))
    }
    step = found.map { pairs[$0].step }
    losses = found.map { (pairs[$0].first ?? .nan, pairs[$0].second ?? .nan) }
    noise = found.flatMap { noises[$0] }
    worst = step.map { second.worstOperands(atOrBefore: $0, or: first) } ?? []
  }

  private struct Pair {
    let step: Int
    let first: Double?
    let second: Double?
    var difference: Double? { first.flatMap { a in second.map { abs($0 - a) } } }
  }

  private static func isApart(_ pair: Pair, _ noise: Double?) -> Bool {
    guard let difference = pair.difference else { return (pair.first == nil) != (pair.second == nil) }
    return noise.map { difference > deviations * $0 } ?? false
  }

  private static func noise(_ before: ArraySlice<Pair>) -> Double? {
    let losses = before.suffix(window + 1).compactMap(\.first)
    guard losses.count > least else { return nil }
    let changes = zip(losses.dropFirst(), losses).map { $0 - $1 }
    guard let usual = RunHistory.median(changes),
      let spread = RunHistory.median(changes.map { abs($0 - usual) })
    else { return nil }
    return 1.4826 * spread / 2.0.squareRoot()
  }

  /// One sentence.
  public var text: String {
    guard let step, let losses else {
      guard commonSteps >= Self.least + 1 + Self.lasting else {
        return "\(second.name) and \(first.name) have too few common steps to tell whether they part: "
          + "\(Numbers.grouped(commonSteps)) of at least \(Self.least + 1 + Self.lasting)"
      }
      return
        "\(second.name) and \(first.name) stay together over \(Numbers.grouped(commonSteps)) common steps"
    }
    func number(_ value: Double) -> String { Numbers.fixed(value, decimals: 4) }
    return
      "\(second.name) parts from \(first.name) at step \(Numbers.grouped(step)): loss \(number(losses.second)) against "
      + number(losses.first) + (noise.map { ", noise \(number($0))" } ?? "")
  }

  /// Why the comparison may mean nothing; nil where both runs saw the same data in the same order.
  public var doubt: String? {
    guard let a = first.origin, let b = second.origin else { return nil }
    if a.data != b.data { return "\(first.name) and \(second.name) were trained on different data" }
    return a.seed == b.seed
      ? nil
      : "\(first.name) and \(second.name) have different seeds (\(a.seed) and \(b.seed)), so their batches differ"
  }
}

extension RunHistory {
  /// The operands of the last measurement up to a step, or else of the first one: those with numbers that are not
  /// finite, then by rising signal to noise.
  public func worstOperands(atOrBefore step: Int) -> [RoundingMeasurement] {
    let steps = measuredSteps
    guard let chosen = steps.last(where: { $0 <= step }) ?? steps.first else { return [] }
    return measurements.filter { $0.step == chosen }.enumerated().sorted { a, b in
      func rank(_ it: RoundingMeasurement) -> Double {
        it.hasNonFinite ? -.infinity : it.values[.signalToNoise] ?? .infinity
      }
      return (rank(a.element), a.offset) < (rank(b.element), b.offset)
    }.map(\.element)
  }

  /// This run's worst operands, or the other's where this one measured nothing.
  fileprivate func worstOperands(atOrBefore step: Int, or other: RunHistory) -> [RoundingMeasurement] {
    (measurements.isEmpty ? other : self).worstOperands(atOrBefore: step)
  }
}
