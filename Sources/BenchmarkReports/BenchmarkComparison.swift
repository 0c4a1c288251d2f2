public import Engine
import Files
import Glibc

/// A report beside an earlier one: the same rows with both medians and a verdict.
///
/// Rows are the same when benchmark, parameters and device are. Rivals are compared too, as a control: their program
/// has not changed, so when they did, the machine did.
public struct BenchmarkComparison: Sendable, Hashable {
  /// One row in both reports.
  public struct Row: Sendable, Hashable {
    /// The row as measured now.
    public let row: BenchmarkRow
    /// Median seconds; nil for a wrong result.
    public let median: Double?
    /// Median seconds of the earlier report; nil for a wrong result.
    public let earlierMedian: Double?
    /// The least relative change that counts; nil where a median is missing.
    public let band: Double?
    public let verdict: BenchmarkVerdict

    /// The row in words.
    public var title: String { row.title }

    /// How many times as fast the row is now; nil where a median is missing.
    public var speed: Double? {
      guard let median, let earlierMedian, median > 0, earlierMedian > 0 else { return nil }
      return earlierMedian / median
    }
  }

  /// What the earlier report is called.
  public let name: String
  /// When the earlier report was made.
  public let date: String
  public let rows: [Row]
  /// Rows of now without a partner.
  public let onlyNow: [BenchmarkRow]
  /// Rows of then without a partner.
  public let onlyEarlier: [BenchmarkRow]
  /// Rows of ours then without a partner: a gate must not open because they are gone.
  public var vanished: [BenchmarkRow] { onlyEarlier.filter { !$0.isRival } }
  /// What differs between the two machines, and between the configurations of the same rows, one sentence each.
  public let differences: [String]
  private let places: [Int: Int]

  /// - Parameter name: What people call the earlier report.
  public init(_ report: BenchmarkReport, against earlier: BenchmarkReport, name: String) {
    self.name = name
    date = earlier.environment.date
    var partners = Dictionary(uniqueKeysWithValues: zip(Self.keys(earlier.rows), earlier.rows))
    var rows: [Row] = []
    var alone: [BenchmarkRow] = []
    var places: [Int: Int] = [:]
    for (index, (row, key)) in zip(report.rows, Self.keys(report.rows)).enumerated() {
      if let partner = partners.removeValue(forKey: key) {
        places[index] = rows.count
        rows.append(Row(row, against: partner))
      } else {
        alone.append(row)
      }
    }
    self.rows = rows
    self.places = places
    onlyNow = alone
    onlyEarlier = zip(Self.keys(earlier.rows), earlier.rows).filter { partners[$0.0] != nil }.map(\.1)
    differences =
      report.environment.differences(from: earlier.environment) + Self.reconfigured(report, since: earlier)
  }

  /// One sentence for each configuration that has changed, whatever the number of rows that use it.
  private static func reconfigured(_ report: BenchmarkReport, since earlier: BenchmarkReport) -> [String] {
    func all(_ report: BenchmarkReport) -> [String: Set<String>] {
      report.rows.flatMap { row in row.configurations.map { (row.device + " " + $0.key, text($0.value)) } }
        .reduce(into: [:]) { $0[$1.0, default: []].insert($1.1) }
    }
    func text(_ parameters: [String: Int]) -> String {
      parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
    let then = all(earlier)
    return all(report).sorted { $0.key < $1.key }.compactMap { key, now in
      guard let then = then[key], then != now else { return nil }
      let texts = [then, now].map { $0.sorted().joined(separator: " or ") }
      return "the configuration of \(key) was '\(texts[0])' and is now '\(texts[1])'"
    }
  }

  /// The comparison of the report's row with this index; nil for a row without a partner.
  func row(at index: Int) -> Row? { places[index].map { rows[$0] } }

  /// How many times as fast our rows are now, in geometric mean; nil when none can be compared.
  public var overallSpeed: Double? { mean(of: { !$0.row.isRival }) }

  /// The same of the rivals' rows.
  public var rivalSpeed: Double? { mean(of: \.row.isRival) }

  /// Our rows that fail a gate.
  ///
  /// A row fails when it is slower beyond noise and its time has grown by more than the percentage. A row with too few
  /// samples for the test fails when its time has grown by more than the percentage and the band.
  public func failures(gate percent: Double) -> [Row] {
    rows.filter { row in
      guard !row.row.isRival, let speed = row.speed, let band = row.band else { return false }
      let growth = 1 / speed - 1
      return switch row.verdict {
      case .slower: growth > percent / 100
      case .undecided: growth > max(percent / 100, band)
      case .faster, .same, .failedNow, .failedThen: false
      }
    }
  }

  private func mean(of selected: (Row) -> Bool) -> Double? {
    let speeds = rows.filter(selected).compactMap(\.speed)
    return speeds.isEmpty ? nil : geometricMean(speeds)
  }

  /// What makes rows the same; the third of three equal rows has another key than the second.
  private struct Key: Hashable {
    let problem: BenchmarkProblem
    let device: String
    let repetition: Int
  }

  private static func keys(_ rows: [BenchmarkRow]) -> [Key] {
    var counts: [Key: Int] = [:]
    return rows.map { row in
      let first = Key(problem: BenchmarkProblem(row), device: row.device, repetition: 0)
      counts[first, default: -1] += 1
      return Key(problem: first.problem, device: first.device, repetition: counts[first, default: 0])
    }
  }
}

extension BenchmarkComparison.Row {
  init(_ row: BenchmarkRow, against earlier: BenchmarkRow) {
    self.row = row
    let now = BenchmarkFigures(row, roof: nil)
    let then = BenchmarkFigures(earlier, roof: nil)
    median = now?.median
    earlierMedian = then?.median
    guard let now, let then, now.median > 0, then.median > 0 else {
      band = nil
      verdict = row.failure != nil ? .failedNow : earlier.failure != nil ? .failedThen : .undecided
      return
    }
    let band = BenchmarkVerdict.band(now.relativeSpread, then.relativeSpread)
    self.band = band
    verdict = BenchmarkVerdict(
      now: row.samples, earlier: earlier.samples, speed: then.median / now.median, band: band)
  }
}

extension BenchmarkComparison {
  /// The comparison as part of a report's object.
  var json: JSON {
    [
      "against": .string(name), "date": .string(date), "speed": .optional(overallSpeed),
      "rival_speed": .optional(rivalSpeed), "differences": .array(differences.map { .string($0) }),
      "rows": .array(
        rows.map { row in
          [
            "row": .string(row.row.title), "rival": .bool(row.row.isRival), "median_s": .optional(row.median),
            "earlier_median_s": .optional(row.earlierMedian), "speed": .optional(row.speed),
            "band": .optional(row.band), "verdict": .string(row.verdict.rawValue),
          ]
        }),
      "only_now": .array(onlyNow.map { .string($0.title) }),
      "only_earlier": .array(onlyEarlier.map { .string($0.title) }),
    ]
  }
}

/// The geometric mean of positive numbers; 1 of none.
func geometricMean(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return 1 }
  return exp(values.reduce(0) { $0 + log($1) } / Double(values.count))
}
