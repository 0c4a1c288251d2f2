import ArgumentParser
import BenchmarkReports
import Engine
import Files
import Terminal

/// `nibble report`: what a run's metrics show, and where runs part.
struct ReportVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Curves and heat maps of runs, and the first step where something went wrong.",
    discussion: """
      Reads metrics.jsonl of one or several runs, also while they train. With precision.measure_every the rounding of every
      layer's operands is drawn over time: signal to noise, underflow, saturation, bias, kurtosis, scales.

      EXAMPLES
        nibble report runs/NAME                           what is known, in words
        nibble report runs/NAME --output report.html      one page with all pictures
        nibble report runs/fp32 runs/mxfp4 --svg pictures where the second parts from the first; single pictures
        nibble report runs/NAME --json                    the same as data

      DEPARTURES
        A quantity is compared with its own median before: --sqnr-drop and --saturation change the bounds, and the report
        names all of them. Other runs are compared with the first: give runs with the same seed and data.
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "Run folders; others are compared with the first.") var runs: [String]
  @Option(name: [.customShort("o"), .long], help: "An HTML file to write.") var output: String?
  @Option(help: "A folder for single SVG pictures.") var svg: String?
  @Option(
    name: .customLong("sqnr-drop"), help: "Decibels below its median that a signal-to-noise ratio may fall.")
  var signalToNoiseDrop = DepartureRule().signalToNoiseDrop
  @Option(help: "Share of saturated numbers that is never unusual.") var saturation = DepartureRule()
    .saturation
  @Flag(help: "Replace files that exist.") var overwrite = false

  func validate() throws {
    if !(signalToNoiseDrop > 0 && signalToNoiseDrop <= 200) {
      throw ValidationError("--sqnr-drop is \(signalToNoiseDrop); give decibels above 0.")
    }
    if !(0...1).contains(saturation) {
      throw ValidationError("--saturation is \(saturation); give a share from 0 to 1.")
    }
    if overwrite, output == nil, svg == nil {
      throw ValidationError("--overwrite has no effect without --output or --svg.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let page = output.map { OutputFile(option: "--output", path: $0, overwrites: overwrite) }
    try page?.check()
    var rule = DepartureRule()
    rule.signalToNoiseDrop = signalToNoiseDrop
    rule.saturation = saturation
    let report = RunReport(try histories(call.output), rule: rule)
    for parting in report.partings {
      guard let doubt = parting.doubt else { continue }
      call.output.warning(ErrorReport(doubt, hints: ["compare runs with the same seed and data"]))
    }
    try show(report, call)
    let pictures = page == nil && svg == nil ? [] : report.pictures
    if let svg { try write(pictures, to: svg, call.output) }
    if let page {
      try page.write(report.html(captions: [caption]))
      call.output.narrate("report: \(page.path) (\(pictures.count) pictures)")
    }
    return .done
  }

  private var caption: String {
    let revision = SourceRevision.current().map {
      ", revision \($0.short)\($0.isModified ? " (modified)" : "")"
    }
    return "\(Timestamp.iso(Call.wallTime())), nibble \(Program.version)" + (revision ?? "")
  }

  // MARK: Reading

  private func histories(_ output: Output) throws -> [RunHistory] {
    let folders = runs.map { $0.count > 1 && $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    for (index, folder) in folders.enumerated() {
      guard RunFolder.isRun(folder) else {
        let isSweep = SweepFolder.isSweep(folder)
        throw UsageError(
          "'\(folder)' is no run folder",
          hints: [
            isSweep ? "give runs inside the sweep, as in \(folder)/01-*" : "nibble train makes runs in runs/"
          ])
      }
      guard !folders[..<index].contains(folder) else {
        throw UsageError("'\(folder)' is given twice", hints: ["leave one of them out"])
      }
    }
    return try folders.map { folder in
      let history = try RunHistory(folder: folder)
      if history.unreadableLineCount > 0 {
        output.warning(
          ErrorReport(
            "'\(folder)/metrics.jsonl': \(history.unreadableLineCount) of its lines cannot be read and are left out",
            details: ["a crash, or a run that writes at this moment, leaves a torn last line"]))
      }
      if Self.isRunning(folder) {
        output.narrate(
          "\(folder) trains or was killed: the report ends with step \(history.updates.last?.step ?? 0)")
      }
      return history
    }
  }

  private static func isRunning(_ folder: String) -> Bool {
    let record = try? JSON.read(folder + "/run.json")
    return record?["calls"]?.arrayValue?.last?["outcome"]?.stringValue == "running"
  }

  // MARK: Writing

  private func show(_ report: RunReport, _ call: Call) throws {
    let output = call.output
    if globals.json { return output.jsonLine(report.json.serialized(.compact)) }
    for line in report.lines { output.result(printable(line)) }
    guard let (title, operands) = report.worst else { return }
    output.result("")
    output.result(printable(title))
    output.table(RunReport.table(operands))
    output.narrate(report.ruleText, at: .verbose)
  }

  private func write(_ pictures: [RunReport.Picture], to folder: String, _ output: Output) throws {
    try Folder.create(folder)
    let files = pictures.map {
      OutputFile(option: "--svg", path: "\(folder)/\($0.name).svg", overwrites: overwrite)
    }
    for file in files { try file.check() }
    for (picture, file) in zip(pictures, files) { try file.write(picture.svg) }
    output.narrate("pictures: \(folder) (\(pictures.count))")
  }
}
