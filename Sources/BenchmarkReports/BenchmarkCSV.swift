import Engine

extension BenchmarkReport {
  /// The rows as comma-separated values (RFC 4180): one column per parameter, units in the headings, plain numbers.
  ///
  /// A cell without a value is empty; a red row has its reason and no number.
  ///
  /// - Parameter comparison: Adds the earlier median, how many times as fast the row is now, and the verdict.
  public func csv(_ comparison: BenchmarkComparison? = nil) -> String {
    let parameters = rows.flatMap { $0.parameters.map(\.name) }.unique()
    let fixed = fixedCells(of: nil, comparison).map(\.heading)
    let headings =
      ["benchmark"] + parameters.map { fixed.contains($0) || $0 == "benchmark" ? "parameter_" + $0 : $0 }
      + fixed
    let lines = rows.indices.map { index in
      [rows[index].benchmark] + parameters.map { rows[index].value(of: $0) ?? "" }
        + fixedCells(of: index, comparison).map(\.text)
    }
    return CSVText.lines([headings] + lines)
  }

  /// The columns behind the parameters; the texts of no row are empty.
  private func fixedCells(
    of index: Int?, _ comparison: BenchmarkComparison?,
  ) -> [(heading: String, text: String)] {
    let row = index.map { rows[$0] }
    let figures = index.flatMap { self.figures(at: $0) }
    func text(_ value: Double?) -> String { CSVText.number(value) }
    var cells = [
      ("device", row?.device ?? ""), ("verification", row?.verification.word ?? ""),
      ("failure", row?.failure ?? ""), ("worst_error_share", text(row?.verification.worst)),
      ("samples", figures.map { "\($0.samples.count)" } ?? ""), ("median_s", text(figures?.median)),
      ("lower_quartile_s", text(figures?.lowerQuartile)), ("upper_quartile_s", text(figures?.upperQuartile)),
      ("event_s", text(figures?.eventSeconds)), ("flops", text(figures?.cost?.flops)),
      ("bytes", text(figures?.cost?.bytes)), ("tokens_per_s", text(figures?.tokensPerSecond)),
      ("gflops", text(figures?.flopsPerSecond.map { $0 / 1e9 })),
      ("gb_per_s", text(figures?.bytesPerSecond.map { $0 / 1e9 })),
      ("share_of_fma_peak", text(figures?.shareOfPeak)),
      ("share_of_sgemm_peak", text(figures?.shareOfSgemmPeak)), ("share_of_copy", text(figures?.shareOfCopy)),
    ]
    cells += rivals.map { rival in
      ("speed_against_" + rival, text(index.flatMap { speed(at: $0, against: rival) }))
    }
    if let comparison {
      let compared = index.flatMap { comparison.row(at: $0) }
      cells += [
        ("earlier_median_s", text(compared?.earlierMedian)),
        ("speed_against_earlier", text(compared?.speed)), ("verdict", compared?.verdict.rawValue ?? ""),
      ]
    }
    cells += [
      ("date", row == nil ? "" : environment.date),
      ("loaded", row == nil ? "" : environment.load.note == nil ? "no" : "yes"),
    ]
    return cells.map { (heading: $0.0, text: $0.1) }
  }
}

/// Lines of comma-separated values (RFC 4180).
enum CSVText {
  static func lines(_ rows: [[String]]) -> String {
    rows.map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
  }

  /// A number as text; nothing for one that is missing or not finite.
  static func number(_ value: Double?) -> String { value.map { $0.isFinite ? "\($0)" : "" } ?? "" }

  private static func quoted(_ cell: String) -> String {
    let needsQuotes = cell.unicodeScalars.contains { ",\"\r\n".unicodeScalars.contains($0) }
    guard needsQuotes || cell.first == " " || cell.last == " " else { return cell }
    return "\"" + cell.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
      + "\""
  }
}
