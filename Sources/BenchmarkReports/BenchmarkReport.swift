public import Engine
public import Files

/// The rows of one call of `nibble bench` with what is needed to believe them.
///
/// A row with a wrong result shows no number in any rendering: all of them read ``BenchmarkFigures``.
public struct BenchmarkReport: Sendable, Equatable {
  /// The number of this form of results, in every file and JSON object.
  ///
  /// `docs/benchmarks.md` says what every key means.
  public static let schema = 2

  /// The measured rows in the order in which they are shown; rivals among them.
  public var rows: [BenchmarkRow]
  /// What the devices can do at most, measured in the same run.
  public var roofs: [DeviceRoof]
  public var environment: BenchmarkEnvironment
  /// Sentences about the rows, for people.
  public var notes: [String] = []
  /// Further members of the object, after those that every report has; not read back.
  public var details: JSONObject = [:]

  public init(rows: [BenchmarkRow], roofs: [DeviceRoof], environment: BenchmarkEnvironment) {
    self.rows = rows
    self.roofs = roofs
    self.environment = environment
  }

  /// The rows with a wrong result or an impossible reading.
  public var redRows: [BenchmarkRow] { rows.filter { $0.failure != nil } }

  /// The rivals' names in the order of their first row.
  var rivals: [String] { rows.filter(\.isRival).map(\.device).unique() }

  /// The numbers of a row; a rival is under the roof of the device that it was measured beside.
  func figures(at index: Int) -> BenchmarkFigures? {
    let device = rows[ours(at: index) ?? index].device
    return BenchmarkFigures(rows[index], roof: roofs.first { $0.device == device })
  }

  /// How many times as fast a row of ours is as a rival beside it; nil if one of the two has no number.
  func speed(at index: Int, against rival: String) -> Double? {
    RivalComparison.pairs(of: rows).first { $0.ours == index && rows[$0.rival].device == rival }?.ratio
  }

  /// The row of ours in front of a rival's, if both solve one problem; nil for a row of ours.
  private func ours(at index: Int) -> Int? { RivalComparison.place(ofOursBeside: index, in: rows) }
}

/// What was timed, whoever did it: benchmark and parameters in any order.
struct BenchmarkProblem: Hashable {
  let benchmark: String
  let parameters: [BenchmarkRow.Parameter]

  init(_ row: BenchmarkRow) {
    benchmark = row.benchmark
    parameters = row.parameters.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
  }
}

extension BenchmarkRow {
  /// Why the result is wrong; nil for one that is not.
  var failure: String? {
    if case .failed(let reason) = verification { reason } else { nil }
  }

  func value(of parameter: String) -> String? { parameters.first { $0.name == parameter }?.value }
}

extension Sequence where Element: Hashable {
  /// The elements without repetitions, in the order of their first.
  func unique() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
