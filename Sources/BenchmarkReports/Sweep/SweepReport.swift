public import Terminal

/// The points of a sweep that differ in nothing but the seed.
public struct SweepGroup: Sendable {
  /// What a point of the group loses against the baseline with the same seed.
  public struct Gap: Sendable, Hashable {
    /// Differences of the losses over the baseline's loss.
    public let share: MeanWithError
    /// Differences of the losses.
    public let nats: MeanWithError
  }

  public let name: String?
  /// Varied keys but the seed.
  public let keys: [SweepRow.Key]
  public let rows: [SweepRow]
  public internal(set) var isBaseline = false
  /// Nil without a baseline, and where no seed is finished on both sides.
  public internal(set) var gap: Gap?
  /// 1 is the lowest loss; nil for a group with failures or without results.
  public internal(set) var rank: Int?
  /// Whether no other group is both cheaper and better.
  public internal(set) var isOnFront = false

  /// Over seeds.
  public var loss: MeanWithError? { mean { $0.loss } }
  public var accuracy: MeanWithError? { mean { $0.accuracy } }
  public var tokensPerSecond: Double? { mean { $0.tokensPerSecond }?.mean }
  /// Seconds of training of one run.
  public var seconds: Double? { mean { $0.seconds }?.mean }
  public var memoryByteCount: Int? { rows.compactMap { $0.figures?.memoryByteCount }.max() }
  public var cost: Double? { MeanWithError(rows.filter { $0.figures != nil }.compactMap(\.cost))?.mean }
  /// The same for all seeds.
  public var model: SweepRow.ModelledCost? { rows.lazy.compactMap { $0.figures?.model }.first }
  public var finishedCount: Int { rows.count { $0.outcome == .finished } }
  /// The first failure among the rows.
  public var failure: SweepRow? { rows.first { $0.outcome.isFailure } }

  /// A short name: the person's, or the values of the keys.
  public var title: String { name ?? keys.map(\.value).joined(separator: " ") }

  /// The value of a varied key, or the point's name for `point`.
  public func value(of key: String) -> String? {
    key == SweepReport.pointKey ? name : keys.first { $0.name == key }?.value
  }

  private func mean(_ figure: (SweepRow.Figures) -> Double?) -> MeanWithError? {
    MeanWithError(rows.compactMap { $0.figures.flatMap(figure) })
  }
}

/// The results of a sweep: groups by rank, with their gaps to a baseline.
public struct SweepReport: Sendable {
  /// The key whose values make a group.
  public static let seedKey = "seed"
  /// The name under which a point's own name is asked for.
  public static let pointKey = "point"

  /// As given.
  public let rows: [SweepRow]
  /// Ranked ones first, those without a result last.
  public private(set) var groups: [SweepGroup]
  /// Keys and values of the baseline; empty for none.
  public let baseline: [SweepRow.Key]
  public let costUnit: SweepCostUnit

  /// - Parameter baseline: Values of varied keys, or of `point`.
  /// - Throws: ``SweepBaselineError`` when no point has these values.
  public init(_ rows: [SweepRow], baseline: [SweepRow.Key], costUnit: SweepCostUnit) throws {
    self.rows = rows
    self.baseline = baseline
    self.costUnit = costUnit
    var groups = Self.grouped(rows)
    if !baseline.isEmpty { try Self.compare(&groups, with: baseline) }
    Self.rank(&groups)
    self.groups = groups
    for point in ParetoPlot(self)?.front ?? [] { self.groups[point.index].isOnFront = true }
  }

  /// Varied keys but the seed.
  public var keys: [String] { groups.first?.keys.map(\.name) ?? [] }
  public var hasNames: Bool { groups.contains { $0.name != nil } }
  /// Whether a run rounds.
  public var hasRecipes: Bool { groups.contains { ($0.model?.extraOperations ?? 0) > 0 } }
  public var hasSeeds: Bool { rows.contains { $0.value(of: Self.seedKey) != nil } }

  private static func grouped(_ rows: [SweepRow]) -> [SweepGroup] {
    var order: [[String]] = []
    var members: [[String]: [SweepRow]] = [:]
    for row in rows {
      let identity = [row.name ?? ""] + row.keys.filter { $0.name != seedKey }.map(\.value)
      if members[identity] == nil { order.append(identity) }
      members[identity, default: []].append(row)
    }
    return order.compactMap { identity in
      guard let rows = members[identity], let first = rows.first else { return nil }
      return SweepGroup(name: first.name, keys: first.keys.filter { $0.name != seedKey }, rows: rows)
    }
  }

  // MARK: Baseline

  /// A group's partner has the baseline's values and else the group's own; where the baseline is a single group, it is
  /// everybody's.
  private static func compare(_ groups: inout [SweepGroup], with baseline: [SweepRow.Key]) throws {
    for key in baseline {
      let known = groups.compactMap { $0.value(of: key.name) }.unique()
      guard known.contains(key.value) else { throw SweepBaselineError(key: key, known: known, groups) }
    }
    let candidates = groups.indices.filter { index in
      baseline.allSatisfy { groups[index].value(of: $0.name) == $0.value }
    }
    guard !candidates.isEmpty else { throw SweepBaselineError(key: nil, known: [], groups) }
    let fixed = Set(baseline.map(\.name))
    let unchanged = groups
    for index in groups.indices {
      let alike = candidates.filter { candidate in
        unchanged[index].keys.allSatisfy {
          fixed.contains($0.name) || unchanged[candidate].value(of: $0.name) == $0.value
        } && (fixed.contains(pointKey) || unchanged[candidate].name == unchanged[index].name)
      }
      groups[index].isBaseline = candidates.contains(index)
      guard let partner = alike.count == 1 ? alike[0] : candidates.count == 1 ? candidates[0] : nil else {
        continue
      }
      groups[index].gap = gap(unchanged[index], to: unchanged[partner])
    }
  }

  private static func gap(_ group: SweepGroup, to baseline: SweepGroup) -> SweepGroup.Gap? {
    let pairs = group.rows.compactMap { row -> (Double, Double)? in
      let partner = baseline.rows.first { $0.value(of: seedKey) == row.value(of: seedKey) }
      guard let loss = row.figures?.loss, let other = partner?.figures?.loss, other != 0 else { return nil }
      return (loss - other, other)
    }
    guard let share = MeanWithError(pairs.map { $0.0 / $0.1 }), let nats = MeanWithError(pairs.map { $0.0 })
    else { return nil }
    return SweepGroup.Gap(share: share, nats: nats)
  }

  private static func rank(_ groups: inout [SweepGroup]) {
    func isRanked(_ group: SweepGroup) -> Bool { group.loss != nil && group.failure == nil }
    func order(_ group: SweepGroup) -> (Int, Double) {
      (isRanked(group) ? 0 : group.loss != nil ? 1 : 2, group.loss?.mean ?? 0)
    }
    // Sorting pairs with their index keeps the order of equals.
    groups = groups.enumerated().sorted { a, b in
      let (first, second) = (order(a.element), order(b.element))
      return (first.0, first.1, a.offset) < (second.0, second.1, b.offset)
    }.map(\.element)
    for index in groups.indices where isRanked(groups[index]) { groups[index].rank = index + 1 }
  }
}

/// A baseline that no point of the sweep is.
public struct SweepBaselineError: UserError, Hashable {
  public let message: String
  public let hints: [String]

  init(key: SweepRow.Key?, known: [String], _ groups: [SweepGroup]) {
    guard let key else {
      message = "no point of the sweep has all of the baseline's values"
      hints = ["nibble sweep FOLDER --report lists the points"]
      return
    }
    message = "no point of the sweep has \(key.name) \(key.value), which the baseline asks for"
    let keys = (groups.first?.keys.map(\.name) ?? []) + (groups.contains { $0.name != nil } ? ["point"] : [])
    hints =
      known.isEmpty
      ? nameHints(for: key.name, in: keys, noun: "varied keys")
      : ["values of \(key.name): \(known.joined(separator: ", "))"]
  }
}
