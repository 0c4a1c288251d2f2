import BenchmarkReports
import Engine
import Files
import Kernels
import Terminal

/// Prints, keeps, compares and draws the rows of a benchmark.
///
/// Made before anything is measured: it refuses what could not be done afterwards, and its clock of the machine's load
/// starts then.
struct BenchmarkPresenter {
  private let call: Call
  private let options: BenchOutputOptions
  private let earlier: BenchmarkReport?
  private let meter = MachineLoadMeter()
  private let machine = MachineDescription.current()
  private let date = Timestamp.iso(Call.wallTime())

  /// - Parameter hasArithmetic: Whether there is work that a roofline can show.
  init(_ call: Call, _ options: BenchOutputOptions, hasArithmetic: Bool = true) throws {
    self.call = call
    self.options = options
    try options.check(call.globals)
    earlier = try options.against.map { try options.store.load($0) }
    if let name = options.save { try options.store.checkSaving(name, overwrite: options.overwrite) }
    guard let drawing = options.drawing else { return }
    guard hasArithmetic else { throw RooflineError.noArithmetic }
    try drawing.check()
  }

  /// Ends a benchmark with its rows.
  ///
  /// An interrupted one is printed, but neither kept nor drawn nor judged.
  ///
  /// - Parameters:
  ///   - roofs: Of the devices that were measured.
  ///   - devices: Those that we opened; rows of others are rivals'.
  ///   - notes: Sentences about the rows.
  ///   - details: Further members of the JSON object.
  /// - Returns: `failed` when a result is wrong or the gate is shut.
  /// - Throws: ``Interrupted`` after everything is printed.
  func present(
    _ rows: [BenchmarkRow], roofs: [DeviceRoof], devices: [DeviceDescription], notes: [String] = [],
    details: JSONObject = [:],
  ) throws -> Terminal.ExitCode {
    var report = BenchmarkReport(rows: rows, roofs: roofs, environment: environment(devices))
    report.notes = notes
    report.details = details
    let comparison = earlier.map {
      BenchmarkComparison(report, against: $0, name: options.against ?? "")
    }
    print(report, comparison)
    if let reason = Interruption.shared.stopReason {
      if let name = options.save { call.output.narrate("interrupted: nothing is kept as \(name)") }
      throw Interrupted(reason: reason)
    }
    if let name = options.save {
      let path = try options.store.save(report, as: name, overwrite: options.overwrite)
      call.output.narrate("kept as \(path); compare with --against \(name)")
    }
    if let drawing = options.drawing {
      try drawing.write(try RooflinePlot(report).svg())
      call.output.narrate("roofline: \(drawing.path)")
    }
    let isGateOpen = try comparison.map(isGateOpen) ?? true
    return report.redRows.isEmpty && isGateOpen ? .done : .failed
  }

  private func environment(_ devices: [DeviceDescription]) -> BenchmarkEnvironment {
    let revision = SourceRevision.current().map { $0.short + ($0.isModified ? " (modified)" : "") }
    return BenchmarkEnvironment(
      command: (["nibble"] + call.arguments).joined(separator: " "), date: date, version: Program.version,
      revision: revision, build: Program.build, machine: machine, hostThreads: HostThreads.defaultCount,
      blas: BLAS.version, blasThreads: BLAS.threads,
      variables: EnvironmentVariable.influences(in: processEnvironment()),
      devices: devices.map {
        .init(name: $0.name, product: $0.product, driver: $0.driver, computeUnits: $0.computeUnits)
      }, load: meter.finish())
  }

  private func print(_ report: BenchmarkReport, _ comparison: BenchmarkComparison?) {
    let output = call.output
    if call.globals.json {
      output.jsonLine(report.json(comparison).serialized())
    } else if options.csv {
      output.stream(report.csv(comparison))
    } else if options.markdown {
      output.stream(report.markdown(comparison))
    } else {
      for table in report.tables(style: output.resultStyle, glyphs: output.glyphs) { output.table(table) }
      for line in report.captions(glyphs: output.glyphs) { output.result(printable(line)) }
      guard let comparison else { return }
      output.table(comparison.table(style: output.resultStyle))
      for line in comparison.captions { output.result(printable(line)) }
    }
  }

  /// Says which rows fail the gate, gone ones among them; a gate through which no row went is not open.
  private func isGateOpen(_ comparison: BenchmarkComparison) throws -> Bool {
    guard let gate = options.gate else { return true }
    guard comparison.overallSpeed != nil else {
      throw UsageError(
        "no row of \(comparison.name) can be compared, so --gate decides nothing",
        hints: ["measure the shapes and devices of \(comparison.name)"])
    }
    let failures = comparison.failures(gate: gate)
    for row in failures {
      let speed = row.speed.map { BenchmarkText.factor($0) } ?? "-"
      call.output.narrate("gate: \(printable(row.title)): \(speed) as fast, \(row.verdict.rawValue)")
    }
    for row in comparison.vanished {
      call.output.narrate("gate: \(printable(row.title)): missing, it is in \(comparison.name)")
    }
    return failures.isEmpty && comparison.vanished.isEmpty
  }
}
