import ArgumentParser
import Engine
import Kernels
import Terminal

/// `nibble tune-worker`: tries the configurations that its standard input names; `nibble tune` starts it.
///
/// A process of its own, so that a configuration that hangs or kills the driver takes nobody along.
struct TuningWorker: Verb {
  static let configuration = CommandConfiguration(
    commandName: "tune-worker", abstract: "Try kernel configurations for `nibble tune`.", shouldDisplay: false
  )

  @OptionGroup var globals: GlobalOptions

  func run(_ call: Call) throws -> Terminal.ExitCode {
    guard let device = try call.open() as? OpenCLDevice else {
      throw UsageError("only OpenCL devices have configurations")
    }
    let problems = TuningCatalogue.problems(for: device.description)
    var current: (key: TuningKey, trial: TuningTrial)?
    while let line = readLine() {
      guard let request = TuningRequest(line: line),
        let problem = problems.first(where: { $0.key == request.key })
      else { throw UsageError("'\(line)' is no request") }
      if current?.key != request.key { current = (request.key, try TuningTrial(problem, on: device)) }
      guard let trial = current?.trial else { continue }
      if request.parameters.isEmpty {
        call.output.result(TuningAnswer.prepared)
        continue
      }
      let outcome: TuningOutcome
      do {
        outcome = try trial.judge(request.parameters, seconds: request.seconds)
      } catch let error as KernelError {
        outcome = .failed(reason: "\(error)")
      }
      call.output.result(TuningAnswer(outcome: outcome, flops: trial.flops).line)
    }
    return .done
  }
}

/// The process that tries configurations, started anew when one of them ended it.
final class SupervisedTrials {
  private let arguments: [String]
  private let showsErrors: Bool
  private var child: ChildProcess?
  /// What the child is prepared for.
  private var prepared: TuningKey?
  /// Preparing evaluates references, which no configuration can make hang: it may take this much longer.
  private static let preparation = 10.0
  /// FLOPs of one execution, as the last answer told.
  private(set) var flops = 0.0

  /// - Parameter device: The device's name.
  init(device: String, showsErrors: Bool) {
    arguments = ["tune-worker", "--device", device, "--quiet"]
    self.showsErrors = showsErrors
  }

  /// - Parameters:
  ///   - patience: Seconds after which the trial counts as hung; preparing for a problem is not among them.
  func judge(_ request: TuningRequest, patience: Double) throws -> TuningOutcome {
    if prepared != request.key {
      if let failure = try ask(request.preparation, within: Self.preparation * patience).failure {
        return failure
      }
      prepared = request.key
    }
    switch try ask(request, within: patience) {
    case .failed(let outcome): return outcome
    case .line(let line):
      guard let answer = TuningAnswer(line: line) else {
        endChild()
        return .crashed(reason: "an answer that is none: \(line.prefix(80))")
      }
      flops = answer.flops
      return answer.outcome
    }
  }

  private enum Reply {
    case line(String)
    case failed(TuningOutcome)

    var failure: TuningOutcome? {
      if case .failed(let outcome) = self { outcome } else { nil }
    }
  }

  private func ask(_ request: TuningRequest, within seconds: Double) throws -> Reply {
    let child = try self.child ?? ChildProcess(arguments: arguments, showsErrors: showsErrors)
    self.child = child
    child.send(request.line)
    switch child.answer(within: seconds) {
    case .line(let line): return .line(line)
    case .timeout:
      endChild()
      return .failed(.hung(afterSeconds: seconds))
    case .ended(let how):
      endChild()
      return .failed(.crashed(reason: how))
    }
  }

  private func endChild() { (child, prepared) = (nil, nil) }
}
