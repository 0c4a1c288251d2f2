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
  /// FLOPs of one execution, as the last answer told.
  private(set) var flops = 0.0

  /// - Parameter device: The device's name.
  init(device: String, showsErrors: Bool) {
    arguments = ["tune-worker", "--device", device, "--quiet"]
    self.showsErrors = showsErrors
  }

  /// - Parameters:
  ///   - patience: Seconds after which the trial counts as hung.
  func judge(_ request: TuningRequest, patience: Double) throws -> TuningOutcome {
    let child = try self.child ?? ChildProcess(arguments: arguments, showsErrors: showsErrors)
    self.child = child
    child.send(request.line)
    switch child.answer(within: patience) {
    case .line(let line):
      guard let answer = TuningAnswer(line: line) else {
        self.child = nil
        return .crashed(reason: "an answer that is none: \(line.prefix(80))")
      }
      flops = answer.flops
      return answer.outcome
    case .timeout:
      self.child = nil
      return .hung(afterSeconds: patience)
    case .ended(let how):
      self.child = nil
      return .crashed(reason: how)
    }
  }
}
