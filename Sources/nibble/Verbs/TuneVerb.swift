import ArgumentParser
import Engine
import Files
import Glibc
import Kernels
import Terminal

/// `nibble tune`: searches kernel configurations on a device and keeps the better ones.
struct TuneVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Search the fastest kernel configurations of a device.",
    discussion: """
      Every configuration is checked against the reference before it is timed, in a process of its own that is ended when \
      a configuration hangs. What is clearly faster than the standard goes into the tuning database, from where every later \
      call takes it. Results stay the same but for the rounding of sums.

      EXAMPLES
        nibble tune matmul --budget 60
        nibble tune "matmul/nt large" attention_forward --device pocl:0
        nibble tune --list
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "Families (matmul) or single problems (\"matmul/nt large\"); all when absent.")
  var families: [String] = []
  @Option(help: "Seconds for everything (120 by default).") var budget: Double?
  @Option(help: "Seconds after which a configuration counts as hung (30 by default).") var patience: Double?
  @Option(help: "The database to write; the user's own when absent (NIBBLE_TUNING).") var output: String?
  @Flag(help: "Only show what is known for the device.") var list = false

  func validate() throws {
    if let budget, !(budget > 0 && budget <= 1e6) {
      throw ValidationError("--budget is \(budget); give seconds above 0.")
    }
    if let patience, !(patience >= 1 && patience <= 1e5) {
      throw ValidationError("--patience is \(patience); give 1 or more.")
    }
    if list, output != nil { throw ValidationError("--list writes nothing; leave --output out.") }
    if list, budget != nil || patience != nil {
      throw ValidationError("--list measures nothing; leave --budget and --patience out.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    if !list { try makeDatabase() }
    let device = try call.open().description
    guard device.languageVersion != nil else {
      throw UsageError(
        "\(device.name) runs no kernels that could be tuned", hints: ["nibble devices", "--device pocl:0"])
    }
    let problems = try chosen(from: TuningCatalogue.problems(for: device), on: device)
    if list { return try show(problems, on: device, call) }
    guard let path = output ?? TuningDatabase.userPath() else {
      throw UsageError("NIBBLE_TUNING is off: there is no database to write", hints: ["--output tuning.json"])
    }
    try Interruption.installHandlers()
    let search = TuningRun(
      call, device: device, budget: budget ?? 120, patience: patience ?? 30, path: path)
    let results = try search.run(problems)
    TuningReport(device: device, path: path, results: results).print(to: call.output)
    if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
    return .done
  }

  /// A database that `NIBBLE_TUNING` names must be there, unless this call is the one that makes it.
  private func makeDatabase() throws {
    guard let path = TuningDatabase.userPath(), path == output ?? path,
      EnvironmentVariable.tuning.value != nil, !Folder.exists(path)
    else { return }
    try TuningDatabase().write(to: path)
  }

  private func chosen(from all: [TuningProblem], on device: DeviceDescription) throws -> [TuningProblem] {
    guard !families.isEmpty else { return all }
    let known = Set(all.map(\.key.family))
    let names = known.union(all.map(\.key.name))
    for family in families where !names.contains(family) {
      let near = nearestName(to: family, in: names.sorted())
      throw UsageError(
        "nothing to tune is named '\(family)' on \(device.name)",
        hints: [
          near.map { "did you mean '\($0)'?" } ?? "families: \(known.sorted().joined(separator: ", "))",
          "nibble tune --list names every problem",
        ])
    }
    return all.filter { families.contains($0.key.family) || families.contains($0.key.name) }
  }

  private func show(_ problems: [TuningProblem], on device: DeviceDescription, _ call: Call) throws
    -> Terminal.ExitCode
  {
    let database = try TuningDatabase.load()
    var table = Table([
      .init("PROBLEM", .left), .init("FROM", .left), .init("GAIN", .right), .init("CONFIGURATION", .left),
    ])
    var rows: [JSONText] = []
    for problem in problems {
      var entry: TuningDatabase.Entry?
      var ignored: [JSONText] = []
      for candidate in database.candidates(for: problem.key, on: device) where entry == nil {
        guard let fault = problem.fault(of: candidate.parameters, on: device) else {
          entry = candidate
          continue
        }
        table.append([
          problem.key.name, "ignored: \(fault.rawValue)", "-", TuningReport.text(candidate.parameters),
        ])
        ignored.append([
          "device_key": .string(candidate.device), "reason": .string(fault.rawValue),
          "parameters": TuningReport.json(candidate.parameters),
        ])
      }
      let origin =
        entry.map { $0.device == device.exactKey ? "this device" : "its architecture" } ?? "standard"
      let parameters = entry?.parameters ?? problem.standard(for: device)
      let gain = entry.map { $0.gflops / $0.standardGflops }
      table.append([
        problem.key.name, origin, gain.map { TuningReport.percent($0) } ?? "-", TuningReport.text(parameters),
      ])
      rows.append([
        "problem": .string(problem.key.name), "from": .string(origin), "gain": JSONText(gain),
        "parameters": TuningReport.json(parameters), "ignored": .array(ignored),
      ])
    }
    call.output.table(table)
    call.output.json([
      "schema": 1, "device": .string(device.name), "device_key": .string(device.exactKey),
      "problems": .array(rows),
    ])
    return .done
  }
}
