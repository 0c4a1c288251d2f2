public import Kernels

/// Judges configurations of one problem on one device: correctness first, then time.
public final class TuningTrial {
  private let problem: TuningProblem
  private let device: OpenCLDevice
  private let checks: [OperationCheck]
  private let tensors: [(problem: OperationProblem, tensors: OperationTensors)]
  /// FLOPs of all representatives together.
  public let flops: Double

  /// Evaluates the references and fills the tensors.
  public init(_ problem: TuningProblem, on device: OpenCLDevice) throws {
    self.problem = problem
    self.device = device
    checks = try problem.checks.map { try OperationCheck($0, comparesDifferences: false) }
    tensors = try problem.representatives(device).map { ($0, try OperationTensors($0, on: device)) }
    flops = tensors.reduce(0) { sum, item in
      sum
        + item.problem.operation.cost(item.tensors.inputs.map(\.type), item.tensors.outputs.map(\.type)).flops
    }
  }

  /// - Parameters:
  ///   - seconds: The time for measuring the candidate and the standard in turns.
  public func judge(_ parameters: [String: Int], seconds: Double) throws -> TuningOutcome {
    // The next problem of the family must not run with this one's configuration.
    defer { device.releaseConfiguration(family: problem.key.family) }
    guard problem.select(parameters, on: device) else {
      return .failed(reason: "no configuration of \(problem.key.family)")
    }
    if let bad = try verdict() { return bad }
    var measurement = Measurement(budget: seconds)
    measurement.pause = 0
    let standard = problem.standard(for: device.description)
    let samples = try measurement.samples(of: [contestant(parameters), contestant(standard)])
    return .measured(candidate: samples[0], standard: samples[1])
  }

  /// Nil when every check passes.
  private func verdict() throws -> TuningOutcome? {
    for check in checks {
      let result = check.run(on: device)
      if let error = result.error { return .failed(reason: "\(error)") }
      if let reason = result.problems.first { return .wrong(reason: "\(result.label): \(reason)") }
    }
    for (problem, tensors) in tensors {
      // What the configuration before this one wrote is right: it must not stand in for what this one leaves out.
      tensors.clear(on: device)
      do {
        try device.execute(problem.operation, tensors.inputs, tensors.outputs)
        if case .failed(let reason) = try problem.verify(tensors.outputValues(on: device)) {
          return .wrong(reason: reason)
        }
      } catch let error as KernelError {
        return .failed(reason: "\(error)")
      }
    }
    return nil
  }

  private func contestant(_ parameters: [String: Int]) -> Measurement.Contestant {
    Measurement.Contestant(
      run: { [problem, device, tensors] in
        _ = problem.select(parameters, on: device)
        for (item, tensors) in tensors {
          try device.execute(item.operation, tensors.inputs, tensors.outputs)
        }
      },
      finish: { [device] in try device.finish() })
  }
}
