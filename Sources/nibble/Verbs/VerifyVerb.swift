import ArgumentParser
import Engine
import Kernels
import Terminal

/// `nibble verify`: every operation, checked on this machine's devices.
struct VerifyVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every operation on this machine's devices.",
    discussion: """
      Outputs and gradients are compared with an fp64 reference, gradients with finite differences too; writes
      outside a buffer, forgotten elements and results that do not repeat are found as well. The exit code is the
      verdict: 1 if one case fails.

      EXAMPLES
        nibble verify --quick
        nibble verify --device pocl:0 --only rms_norm
        nibble verify --fixtures fixtures/attention --strict
      """)

  @OptionGroup var globals: GlobalOptions
  @Option(help: "Only this operation, or the fixtures of it.") var only: String?
  @Option(help: "Run the cases of a folder of fixtures instead.") var fixtures: String?
  @Flag(help: "The smallest two samples of each operation.") var quick = false
  @Flag(help: "What is not supported counts as failed.") var strict = false

  func validate() throws {
    if quick, fixtures != nil {
      throw ValidationError("--quick chooses among samples; --fixtures runs every case. Give one of them.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    try Interruption.installHandlers()
    let (devices, broken) = try openDevices(call)
    var report = VerificationReport(
      call.output, showsDevice: devices.count + broken.count > 1, strict: strict)
    for result in broken { report.add(result) }
    if let fixtures {
      try runFixtures(fixtures, devices, &report)
    } else {
      try runSamples(devices, &report)
    }
    if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
    return report.finish()
  }

  /// The device asked for, else all: fixtures and samples are the handshake with each of them.
  ///
  /// A device that cannot be opened has failed; the others are checked all the same.
  private func openDevices(_ call: Call) throws -> ([any OperationDevice], broken: [VerificationCase]) {
    if call.globals.device != nil || EnvironmentVariable.device.value != nil {
      return ([try call.open()], [])
    }
    var devices: [any OperationDevice] = []
    var broken: [VerificationCase] = []
    for description in DeviceCatalog.list() {
      do {
        devices.append(try call.open(description.name))
      } catch {
        broken.append(VerificationCase(unopened: description.name, because: error))
      }
    }
    return (devices, broken)
  }

  private func runSamples(_ devices: [any OperationDevice], _ report: inout VerificationReport) throws {
    let all = OperationCatalogue.all
    if let only, !all.contains(where: { $0.name == only }) {
      let names = all.map { $0.name }
      throw UsageError(
        "unknown operation '\(only)'", hints: nameHints(for: only, in: names, noun: "operations", limit: 60))
    }
    for operation in all where only == nil || operation.name == only {
      for sample in chosen(operation.samples) {
        guard Interruption.shared.stopReason == nil else { return }
        report.begin("\(operation.name) \(sample.label)")
        let check = try OperationCheck(sample)
        for device in devices {
          let start = Call.now()
          let result = check.run(on: device)
          report.add(VerificationCase(result, device: device, seconds: Call.now() - start))
        }
      }
    }
  }

  private func chosen(_ samples: [Sample]) -> [Sample] {
    guard quick, samples.count > 2 else { return samples }
    func size(_ sample: Sample) -> Int { sample.inputs.reduce(0) { $0 + $1.type.shape.count } }
    let smallest = samples.indices.sorted { (size(samples[$0]), $0) < (size(samples[$1]), $1) }.prefix(2)
    return smallest.sorted().map { samples[$0] }
  }

  private func runFixtures(
    _ folder: String, _ devices: [any OperationDevice], _ report: inout VerificationReport,
  ) throws {
    let runner = try FixtureRunner(folder)
    var count = 0
    for item in runner.items {
      for device in devices {
        guard Interruption.shared.stopReason == nil else { return }
        report.begin(item.name)
        let result = FixtureRunner.run(item, on: device)
        guard only == nil || result.operation == only || item.name == only else { continue }
        count += 1
        report.add(VerificationCase(result, device: device))
      }
    }
    if let only, count == 0, Interruption.shared.stopReason == nil {
      throw UsageError("no fixture in '\(folder)' is of the operation '\(only)'")
    }
  }
}

/// The verdict on one sample or fixture on one device.
struct VerificationCase {
  enum Verdict: String {
    case passed
    case failed
    case unsupported
  }

  let operation: String
  let label: String
  let device: String
  let verdict: Verdict
  var forwardError: Double?
  var backwardError: Double?
  /// The worst error in units of what a fixture allows.
  var ratio: Double?
  let seconds: Double
  let messages: [String]

  init(_ result: CheckResult, device: any OperationDevice, seconds: Double) {
    operation = result.operation
    label = result.label
    self.device = device.description.name
    verdict = result.passes ? .passed : .failed
    forwardError = result.forwardError
    backwardError = result.backwardError
    self.seconds = seconds
    messages = result.problems
  }

  init(_ result: FixtureResult, device: any OperationDevice) {
    operation = result.operation
    label = result.name
    self.device = device.description.name
    switch result.verdict {
    case .passed: verdict = .passed
    case .failed: verdict = .failed
    case .unsupported: verdict = .unsupported
    }
    ratio = result.worst?.ratio
    seconds = result.seconds
    messages = result.message.split(separator: "\n").map(String.init)
  }

  /// A device on which nothing could be checked.
  init(unopened device: String, because error: any Error) {
    operation = "open"
    label = "the device cannot be opened"
    self.device = device
    verdict = .failed
    seconds = 0
    messages = "\(error)".split(separator: "\n").map(String.init)
  }

  func line(showsDevice: Bool, style: Style) -> String {
    let role: Style.Role = verdict == .passed ? .passed : verdict == .failed ? .failed : .warning
    let word = verdict.rawValue + String(repeating: " ", count: max(0, 11 - verdict.rawValue.count))
    var parts = [style.applied(role, to: word)]
    if showsDevice { parts.append(device + String(repeating: " ", count: max(0, 8 - device.count))) }
    parts.append(label.hasPrefix(operation) || operation.isEmpty ? label : "\(operation) \(label)")
    if let forwardError { parts.append("forward \(Numbers.scientific(forwardError))") }
    if let backwardError { parts.append("backward \(Numbers.scientific(backwardError))") }
    if let ratio { parts.append("worst \(Numbers.significant(ratio)) of the allowed error") }
    parts.append(Numbers.duration(seconds))
    if verdict == .passed, let message = messages.first { parts.append(message) }
    return parts.joined(separator: "  ")
  }

  var json: JSONText {
    [
      "schema": 1, "kind": "case", "operation": .string(operation), "case": .string(label),
      "device": .string(device),
      "verdict": .string(verdict.rawValue), "forward_error": JSONText(forwardError),
      "backward_error": JSONText(backwardError), "worst_ratio": JSONText(ratio), "time_s": .number(seconds),
      "messages": .array(messages.map { .string($0) }),
    ]
  }
}

/// Prints verdicts as they come, counts them, and ends with a summary.
struct VerificationReport {
  private let output: Output
  private let showsDevice: Bool
  private let strict: Bool
  private var counts: [String: [VerificationCase.Verdict: Int]] = [:]
  private var devices: [String] = []
  private let start = Call.now()

  init(_ output: Output, showsDevice: Bool, strict: Bool) {
    self.output = output
    self.showsDevice = showsDevice
    self.strict = strict
  }

  /// Says what is being checked, for cases that take long.
  func begin(_ name: String) {
    output.progress.update { _ in ["checking \(name)"] }
  }

  mutating func add(_ result: VerificationCase) {
    if counts[result.device] == nil { devices.append(result.device) }
    counts[result.device, default: [:]][result.verdict, default: 0] += 1
    // Results take the terminal's line from the status block.
    output.result(result.line(showsDevice: showsDevice, style: output.resultStyle))
    if result.verdict != .passed {
      for message in result.messages { output.result("    " + message) }
    }
    output.json(result.json)
  }

  /// Prints the summary and returns the verdict as an exit code.
  func finish() -> Terminal.ExitCode {
    var failed = 0
    var summaries: [JSONText] = []
    for device in devices {
      let count = counts[device] ?? [:]
      let (passed, wrong, unknown) = (count[.passed] ?? 0, count[.failed] ?? 0, count[.unsupported] ?? 0)
      failed += wrong + (strict ? unknown : 0)
      let total = passed + wrong + unknown
      var text = "\(passed)/\(total) correct on \(device)"
      if wrong > 0 { text += ", \(wrong) failed" }
      if unknown > 0 { text += ", \(unknown) unsupported" }
      output.result(
        output.resultStyle.applied(wrong > 0 ? .failed : unknown > 0 ? .warning : .passed, to: text))
      summaries.append([
        "device": .string(device), "passed": .integer(passed), "failed": .integer(wrong),
        "unsupported": .integer(unknown),
      ])
    }
    output.json([
      "schema": 1, "kind": "summary", "devices": .array(summaries), "strict": .boolean(strict),
      "verdict": failed == 0 ? "passed" : "failed", "time_s": .number(Call.now() - start),
    ])
    output.narrate("\(Numbers.duration(Call.now() - start)) in all")
    return failed == 0 ? .done : .failed
  }
}
