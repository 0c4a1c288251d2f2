import ArgumentParser
import BenchmarkReports
import Configuration
import Engine
import Files
import Terminal

/// `nibble sweep`: many runs that differ in some keys, and what came of them.
struct SweepVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Train a grid or a list of configurations and compare them.",
    discussion: """
      EXAMPLES
        nibble sweep preset=shakespeare --data text.txt mixer.kind=attention,retention seed=1,2,3 --output sweeps/x
        nibble sweep run.yaml                         its section sweep says what varies
        nibble sweep sweeps/x                         goes on where it stopped; finished runs stay
        nibble sweep sweeps/x --report --baseline mixer.kind=attention
        nibble sweep run.yaml --plan                  points, memory and time; nothing is trained

      VALUES
        key=a,b,c is a list, and every combination of the lists is a run. Commas inside [...] or "..." belong to a value;
        where there is a semicolon, only semicolons separate: "evaluation.prompt=Yes, sir;No". A key that is a list itself
        keeps its commas: mixer.pattern=a,b is one value, "mixer.pattern=[a,b],[c]" and "mixer.pattern=a,b;c" are two.

      A FILE
        any configuration with a section sweep:
          sweep:
            grid: {optimizer.learning_rate: [1e-3, 3e-3], seed: [1, 2, 3]}
            points:
              - {name: plain}
              - {name: hybrid, mixer.pattern: [gated_delta, sliding], model.window: 64}
            baseline: {point: plain}
        Every point of the list is run with every combination of the grid.

      Losses are measured over the whole validation part. Gaps are paired by seed. Ctrl-C finishes the step, saves and says how
      to go on; a run that diverges or does not fit is noted, and the sweep goes on and ends with 1 (4 if none but misfits).
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A configuration (.yaml), a text or the folder of a sweep, and key=value,value.")
  var arguments: [String] = []
  @Option(help: "The text to train on (data.path).") var data: String?
  @Option(name: [.customShort("o"), .long], help: "The sweep's folder; sweeps/<date>-<name>-<n> by default.")
  var output: String?
  @Option(help: "Time limit of each run (minutes).") var minutes: Double?
  @Option(help: "The points that the others are compared with: key=value,key=value or point=NAME.")
  var baseline: String?
  @Option(
    help: "The picture's cost: measured here, or modelled for hardware with the formats (measured, model).")
  var cost: PointCost?
  @Flag(help: "Stop after the table of points: exit code 0 if all fit, 4 if not.") var plan = false
  @Flag(help: "Only show the results of a sweep so far.") var report = false
  @Flag(help: "Try the runs that failed again.") var retry = false
  @Flag(help: "Results as comma-separated values.") var csv = false
  @Flag(help: "Results as a Markdown table.") var markdown = false

  func validate() throws {
    if [csv, markdown, globals.json].count(where: { $0 }) > 1 {
      throw ValidationError("--csv, --markdown and --json contradict each other; give one.")
    }
    if report, plan { throw ValidationError("--report and --plan contradict each other; give one.") }
    if report, retry { throw ValidationError("--retry has no effect with --report.") }
    if plan, cost != nil { throw ValidationError("--cost has no effect with --plan.") }
    if plan, csv || markdown { throw ValidationError("--csv and --markdown have no effect with --plan.") }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    try Interruption.installHandlers()
    if let folder = arguments.first, SweepFolder.isSweep(folder) {
      try refuseChanges(folder, call)
      return try resume(try SweepFolder(folder), call)
    }
    if report || retry {
      throw UsageError(
        "\(report ? "--report" : "--retry") needs the folder of a sweep", hints: ["nibble sweep FOLDER"])
    }
    return try begin(call)
  }

  /// The points of a sweep are fixed when it begins.
  private func refuseChanges(_ folder: String, _ call: Call) throws {
    let given = arguments.dropFirst().map { $0 } + (data.map { ["--data \($0)"] } ?? [])
    let flags = (minutes.map { ["--minutes \($0)"] } ?? []) + (output.map { ["--output \($0)"] } ?? [])
    let device = call.globals.device.map { ["--device \($0)"] } ?? []
    let all = given + flags + device
    guard !all.isEmpty else { return }
    throw UsageError(
      "the points of the sweep '\(folder)' are fixed: \(all.joined(separator: " ")) would have no effect",
      hints: ["nibble sweep \(folder) goes on with it", "another sweep needs another --output"])
  }

  // MARK: Beginning and going on

  private func begin(_ call: Call) throws -> Terminal.ExitCode {
    let request = try SweepRequest(
      SweepRequest.Flags(
        arguments: arguments, data: data, output: output, minutes: minutes, device: call.globals.device,
        baseline: baseline))
    warn(request, call.output)
    let planned = try SweepPlan(request.points.map { ($0.point, $0.request) }, call: call)
    if plan { return show(planned, request.folder, call) }
    let sweep = try SweepFolder.make(
      request, comment: [(["nibble"] + call.arguments).joined(separator: " ")])
    return try train(try SweepRun(sweep, call: call, retries: false), planned, sweep, call)
  }

  private func resume(_ sweep: SweepFolder, _ call: Call) throws -> Terminal.ExitCode {
    let presenter = try SweepPresenter(sweep, baseline: baseline, format: format, cost: cost ?? .measured)
    if report { return try presenter.present(call) }
    let run = try SweepRun(sweep, call: call, retries: retry)
    let runs = try run.pending().map { point in
      let flags = RunRequest.Flags(arguments: [sweep.run(point)], isPlan: true, environment: [:])
      return (point: point, request: try RunRequest(flags))
    }
    let planned = try SweepPlan(runs, call: call)
    if plan { return show(planned, sweep.path, call) }
    return try train(run, planned, sweep, call)
  }

  private func train(
    _ run: SweepRun, _ planned: SweepPlan, _ sweep: SweepFolder, _ call: Call,
  ) throws -> Terminal.ExitCode {
    let all = sweep.description.points.count
    let done = all - planned.entries.count
    call.output.narrate(
      "nibble sweep  \(sweep.path): "
        + (done == all ? "all \(all) runs are over" : planned.summary)
        + (done > 0 && done < all ? "; \(done) done before" : ""))
    do {
      try run.train(planned)
    } catch {
      call.output.progress.suspend()
      call.output.narrate("resume: nibble sweep \(sweep.path)")
      throw error
    }
    return try SweepPresenter(sweep, baseline: baseline, format: format, cost: cost ?? .measured).present(
      call)
  }

  private func show(_ planned: SweepPlan, _ folder: String, _ call: Call) -> Terminal.ExitCode {
    call.output.table(planned.table)
    call.output.result("\(folder): \(planned.summary)")
    call.output.json(planned.json(folder))
    return planned.problemCount > 0 ? .doesNotFit : .done
  }

  /// Values without effect, each once.
  private func warn(_ request: SweepRequest, _ output: Output) {
    var told: Set<String> = []
    for warning in request.points.flatMap(\.request.warnings) where !told.contains(warning.report.message) {
      told.insert(warning.report.message)
      output.warning(warning.report)
    }
  }

  private var format: SweepPresenter.Format { csv ? .csv : markdown ? .markdown : .table }
}

extension PointCost: ExpressibleByArgument {}
