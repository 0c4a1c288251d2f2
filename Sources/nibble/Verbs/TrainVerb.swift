import ArgumentParser
import Configuration
import Engine
import Files
import Kernels
import Terminal

/// `nibble train`: plans, trains, evaluates, saves, resumes.
struct TrainVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a model from a configuration, a text or where a run stopped.",
    discussion: """
      EXAMPLES
        nibble train preset=first-run                       two minutes on the text inside the program
        nibble train book.txt --minutes 3                   a bare text: defaults are chosen
        nibble train run.yaml --output out steps=2000 seed=7
        nibble train out                                    goes on where the run stopped
        nibble train init=model/ --data notes.txt steps=300 fine-tunes a model
        nibble train preset=mqar                            a recall task, generated; needs no text
        nibble train run.yaml --plan                        memory and time, nothing is trained

      COMMON KEYS
        preset, steps, seed, data.path, data.tokenizer, model.layers, model.dimension, model.context,
        optimizer.learning_rate, batch.tokens           all keys: nibble config schema

      Ctrl-C finishes the step, saves and says how to go on; SIGUSR1 saves and goes on.
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A configuration (.yaml), a run folder or a text, and key=value.") var arguments: [String] =
    []
  @Option(help: "The text to train on (data.path); 'embedded' is the one inside the program.") var data:
    String?
  @Option(name: [.customShort("o"), .long], help: "The run folder; runs/<date>-<name>-<n> by default.")
  var output: String?
  @Option(help: "Time limit (minutes).") var minutes: Double?
  @Option(help: "Seed of every random choice (seed).") var seed: Int?
  @Flag(help: "Stop after the plan: exit code 0 if the run fits, 4 if not.") var plan = false
  @Option(parsing: .singleValue, help: "A key that may change what a resumed run learns; may be repeated.")
  var allow: [String] = []
  @Option(name: .customLong("until"), help: "End this call after this step; the run can go on later.")
  var until: Int?

  func validate() throws {
    if let until, until < 1 { throw ValidationError("--until is \(until); give a step from 1.") }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    try Interruption.installHandlers()
    let request = try RunRequest(
      RunRequest.Flags(
        arguments: arguments, data: data, output: output, minutes: minutes, seed: seed,
        device: call.globals.device, allowed: allow, isPlan: plan))
    for warning in request.warnings { call.output.warning(warning.report) }
    let device = try call.open(request.values.device)
    if !plan, let steps = try request.stepsWhenDone() { return done(steps, request.folder, call.output) }
    let run = try PlannedRun(request, device: device, call: call, readsText: !plan)
    for line in run.plan.lines(call.output.glyphs) { call.output.narrate(line) }
    call.output.json(run.plan.json)
    if let problem = run.plan.problem { throw problem }
    if plan {
      call.output.result(
        "fits: \(Numbers.bytes(run.plan.estimate.totalByteCount)) on \(device.description.name)")
      return .done
    }
    return try TrainingRun(run, call: call, until: until, display: RunStatusDisplay(call.output)).train()
      .present(call.output)
  }

  /// A run that has made all its steps.
  private func done(_ steps: Int, _ folder: String, _ output: Output) -> Terminal.ExitCode {
    output.result("\(folder): all \(Numbers.grouped(steps)) steps are done")
    output.narrate("next: nibble train \(folder) steps=\(steps * 2) --allow steps")
    output.json([
      "schema": 1, "kind": "end", "outcome": "finished", "run": .string(folder), "step": .integer(steps),
    ])
    return .done
  }
}
