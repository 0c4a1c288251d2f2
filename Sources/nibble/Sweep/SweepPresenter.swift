import BenchmarkReports
import Configuration
import Files
import Terminal

/// Prints the results of a sweep and draws them.
struct SweepPresenter {
  enum Format {
    case table
    case csv
    case markdown
  }

  private let sweep: SweepFolder
  private let format: Format
  private let baseline: [SweepRow.Key]
  private let cost: PointCost

  /// - Parameters:
  ///   - baseline: `key=value,key=value`; nil takes the one that the sweep began with.
  ///   - cost: Along the picture.
  /// - Throws: When no point has the baseline's values.
  init(_ sweep: SweepFolder, baseline: String?, format: Format, cost: PointCost) throws {
    self.sweep = sweep
    self.cost = cost
    self.format = format
    let given = try baseline.map { try SweepRequest.canonical(try SweepArguments.baseline($0)) }
    self.baseline = (given ?? sweep.description.baseline).map { .init($0.key, $0.value) }
    _ = try report()
  }

  /// - Returns: `failed` when runs ended without a result, `doesNotFit` when they only did not fit.
  func present(_ call: Call) throws -> ExitCode {
    let report = try report()
    print(report, call)
    try draw(report, call.output)
    let failures = report.rows.filter { $0.outcome.isFailure }
    if failures.isEmpty { return .done }
    return failures.allSatisfy { $0.outcome == .doesNotFit } ? .doesNotFit : .failed
  }

  private func report() throws -> SweepReport {
    try SweepReport(try sweep.rows(cost), baseline: baseline, costUnit: cost.unit)
  }

  private func print(_ report: SweepReport, _ call: Call) {
    let output = call.output
    if call.globals.json {
      output.jsonLine(report.json.serialized())
      return
    }
    switch format {
    case .csv: output.stream(report.csv)
    case .markdown: output.stream(report.markdown)
    case .table:
      output.table(report.table(style: output.resultStyle, glyphs: output.glyphs))
      for line in report.captions(glyphs: output.glyphs) { output.result(printable(line)) }
    }
  }

  private func draw(_ report: SweepReport, _ output: Output) throws {
    guard let plot = ParetoPlot(report) else {
      if cost == .model, report.rows.contains(where: { $0.figures != nil }) {
        output.warning(
          ErrorReport(
            "there is no picture: the runs were kept without modelled costs",
            hints: ["--cost measured, or train them again in another sweep"]))
      }
      return
    }
    let path = sweep.path + "/pareto.svg"
    let revision = SourceRevision.current().map {
      ", revision \($0.short)\($0.isModified ? " (modified)" : "")"
    }
    let caption = "\(Timestamp.iso(Call.wallTime())), nibble \(Program.version)" + (revision ?? "")
    let svg = plot.svg(title: "Sweep \(sweep.path)", captions: [caption])
    try AtomicFile.write(Array(svg.utf8), to: path)
    output.narrate("picture: \(path)")
  }
}
