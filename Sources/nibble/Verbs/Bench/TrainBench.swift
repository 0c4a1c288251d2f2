import ArgumentParser
import Engine
import Files
import Kernels
import Terminal

/// `nibble bench train`: whole training steps.
struct TrainBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Time training steps on random tokens.",
    discussion: """
      Sizes that are not given are those of --config. Two steps warm up. Without --steps, steps are timed until the middle
      half of the samples lies within 3 % (at least 5, at most 50 steps) or the budget of 60 s ends. Every loss must be
      finite, and the first one that of small random weights on random tokens.

      The share of the peak counts 6 N + 6 x layers x width x time FLOPs per token (head and tied embedding once, half of
      the attention scores) against the best of 8 OpenBLAS products of 1536 x 1536 matrices in the same run. The peak
      memory is the process's largest resident set after the timed steps, before anything else is measured.

      EXAMPLES
        nibble bench train --config tiny
        nibble bench train --config small --device cpu --json
        nibble bench train --config base layers=4 batch=2 --steps 10
        nibble bench train dim=512 layers=8 heads=8 kv_heads=2 ffn=1536 vocab=8192 time=1024 batch=2 --profile
        nibble bench train --config tiny --timeline step.json     for ui.perfetto.dev
      """)

  @OptionGroup var globals: GlobalOptions
  @Option(help: "A preset: tiny (default), small, base, gpt2 or long.") var config: String?
  @Option(help: "Timed steps; as many as needed by default.") var steps: Int?
  @Option(
    help: "Seconds for all steps; no step that would end later is begun (60 where --steps is not given).")
  var budget: Double?
  @Flag(help: "Where the time of a step goes, per operation and kernel.") var profile = false
  @Option(help: "A new file for a step's launches, in the trace event format.") var timeline: String?
  @OptionGroup var results: BenchOutputOptions
  @Argument(help: "dim= layers= heads= kv_heads= ffn= vocab= time= batch=, and keys of the configuration.")
  var words: [String] = []

  func validate() throws {
    if let steps, !(1...10_000).contains(steps) {
      throw ValidationError("--steps is \(steps); give 1 to 10000.")
    }
    if let budget, !(budget > 0 && budget <= 86_400) {
      throw ValidationError("--budget is \(budget); give seconds above 0, at most 86400.")
    }
    if profile, results.csv || results.markdown {
      throw ValidationError("--profile prints tables of its own: leave out --csv and --markdown.")
    }
    try results.checkOverwrite(timeline)
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let output = call.output
    let file = timeline.map { OutputFile(option: "--timeline", path: $0, overwrites: results.overwrite) }
    try file?.check()
    if let config, !BenchPresets.names.contains(config) {
      throw UsageError(
        "--config \(config) is no preset for this",
        hints: nameHints(for: config, in: BenchPresets.names, noun: "presets"))
    }
    let shape = try StepShape(preset: config, words: words)
    try Interruption.installHandlers()
    let presenter = try BenchmarkPresenter(call, results)
    let opened = try call.open()
    guard let device = opened as? any OperationDevice & ProfilingDevice else {
      throw Failure("\(opened.description.name) cannot be timed", exitCode: .internalError)
    }
    let result = try measure(shape, on: device, output)
    let roof = try RoofMeasurement(budget: 0.5).measure(device)
    let report = TrainBenchReport(
      shape: shape, result: result, profile: StepProfile(result.profile), roof: roof,
      device: device.description, sgemmPeak: roof.sgemmPeak ?? TrainingBenchmark.sgemmPeak(),
      wantedSteps: steps)
    if let file {
      try file.write(StepTimeline(result.profile, device: device.description.name).json)
      output.narrate("timeline: \(file.path) (open it in ui.perfetto.dev or chrome://tracing)")
    }
    if profile { report.print(to: output) }
    return try presenter.present(
      [report.row], roofs: [roof], devices: [device.description], notes: report.notes, details: report.json)
  }

  private func measure(
    _ shape: StepShape, on device: any OperationDevice & ProfilingDevice, _ output: Output,
  ) throws -> TrainingBenchmark.Result {
    output.narrate("\(shape.title) on \(device.description.name): two steps first, then timed ones")
    // A number of steps is kept unless a budget is asked for, too.
    let limits = TrainingBenchmark.Limits(steps: steps, budget: budget ?? (steps == nil ? 60 : nil))
    let benchmark = TrainingBenchmark(shape.model, shape.options, rule: shape.rule)
    return try benchmark.run(
      on: device, limits,
      onStep: { index, seconds in output.narrate("step \(index): \(Numbers.duration(seconds))") },
      shouldStop: { Interruption.shared.stopReason != nil })
  }
}
