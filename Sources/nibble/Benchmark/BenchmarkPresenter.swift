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

  init(_ call: Call, _ options: BenchOutputOptions) throws {
    self.call = call
    self.options = options
    try options.check(call.globals)
    earlier = try options.against.map { try options.store.load($0) }
    if let name = options.save { try options.store.checkSaving(name, overwrite: options.overwrite) }
    if let path = options.roofline {
      if Folder.isFolder(path) { throw FileError.wrongKind(path: path, expected: "a file") }
      if !options.overwrite, Folder.exists(path) {
        throw UsageError("'\(path)' exists already", hints: ["--overwrite replaces it"])
      }
    }
  }

  /// Ends a benchmark with its rows.
  ///
  /// - Parameters:
  ///   - roofs: Of the devices that were measured.
  ///   - devices: Those that we opened; rows of others are rivals'.
  /// - Returns: `failed` when a result is wrong or the gate is shut.
  func present(
    _ rows: [BenchmarkRow], roofs: [DeviceRoof], devices: [DeviceDescription],
  ) throws -> Terminal.ExitCode {
    let report = BenchmarkReport(rows: rows, roofs: roofs, environment: environment(devices))
    let comparison = earlier.map {
      BenchmarkComparison(report, against: $0, name: options.against ?? "")
    }
    print(report, comparison)
    if let name = options.save {
      let path = try options.store.save(report, as: name, overwrite: options.overwrite)
      call.output.narrate("kept as \(path); compare with --against \(name)")
    }
    if let path = options.roofline {
      let text = try RooflinePlot(report).svg()
      try AtomicFile.write(Array(text.utf8), to: path, overwrite: options.overwrite)
      call.output.narrate("roofline: \(path)")
    }
    let isGateOpen = try comparison.map(isGateOpen) ?? true
    return report.redRows.isEmpty && isGateOpen ? .done : .failed
  }

  private func environment(_ devices: [DeviceDescription]) -> BenchmarkEnvironment {
    let revision = SourceRevision.current().map { $0.short + ($0.isModified ? " (modified)" : "") }
    return BenchmarkEnvironment(
      command: (["nibble"] + call.arguments).joined(separator: " "), date: date, version: Program.version,
      revision: revision, machine: machine, hostThreads: HostThreads.defaultCount, blas: BLAS.version,
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

  /// Says which rows fail the gate; a gate through which no row went is not open.
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
    return failures.isEmpty
  }
}
