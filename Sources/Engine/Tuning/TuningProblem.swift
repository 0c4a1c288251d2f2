public import Kernels

/// A class of problems of one kernel family, with what is needed to judge a configuration of it.
public struct TuningProblem: Sendable {
  public let key: TuningKey
  /// What is timed: operations of this class at sizes of real models; speed counts over all of them together.
  let representatives: @Sendable (OpenCLDevice) throws -> [OperationProblem]
  /// Small odd cases that a configuration must compute correctly before it is timed.
  let checks: [Sample]
  private let standardParameters: @Sendable (DeviceDescription) -> [String: Int]
  private let candidateParameters: @Sendable (DeviceDescription) -> [[String: Int]]
  private let findFault: @Sendable ([String: Int], DeviceDescription) -> TuningFault?
  private let select: @Sendable ([String: Int], OpenCLDevice) -> Bool

  /// - Parameters:
  ///   - checks: Samples of the family's operations, whatever their class.
  init<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, problem: String, checks: [Sample],
    representatives: @escaping @Sendable (OpenCLDevice) throws -> [OperationProblem],
  ) {
    key = TuningKey(family: type.family, problem: problem)
    self.checks = checks
    self.representatives = representatives
    standardParameters = { type.standard(for: $0, problem: problem).parameters }
    candidateParameters = { device in
      type.candidates(for: device, problem: problem).filter { $0.fits(device) }.map(\.parameters)
    }
    findFault = { type.fault(of: $0, on: $1) }
    select = { parameters, device in
      guard let configuration = type.init(parameters: parameters) else { return false }
      device.useConfiguration(configuration)
      return true
    }
  }

  /// What runs when nothing is tuned.
  public func standard(for device: DeviceDescription) -> [String: Int] { standardParameters(device) }

  /// What the device's limits allow, the standard left out.
  public func candidates(for device: DeviceDescription) -> [[String: Int]] {
    let standard = standard(for: device)
    var seen: Set<[String: Int]> = [standard]
    return candidateParameters(device).filter { seen.insert($0).inserted }
  }

  /// Why a database's entry with these parameters is not used; nil for one that is.
  public func fault(of parameters: [String: Int], on device: DeviceDescription) -> TuningFault? {
    findFault(parameters, device)
  }

  /// Makes every problem of the family on `device` run with these parameters.
  ///
  /// - Returns: False when they are no configuration of the family.
  func select(_ parameters: [String: Int], on device: OpenCLDevice) -> Bool { select(parameters, device) }
}
