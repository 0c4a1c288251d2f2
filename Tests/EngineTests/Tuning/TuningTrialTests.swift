import Kernels
import Testing

@testable import Engine

/// What a configuration of ``ConfiguredProduct`` does.
private enum Behaviour: Int {
  case right
  case writesNothing
  case doesNotBuild
}

private struct ProductConfiguration: KernelConfiguration {
  static let family = "configured_product"
  let behaviour: Behaviour

  var parameters: [String: Int] { ["behaviour": behaviour.rawValue] }

  init(_ behaviour: Behaviour) { self.behaviour = behaviour }

  init?(parameters: [String: Int]) {
    guard let behaviour = parameters["behaviour"].flatMap(Behaviour.init) else { return nil }
    self.behaviour = behaviour
  }

  static func standard(for device: DeviceDescription, problem: String) -> Self { Self(.right) }
  static func candidates(for device: DeviceDescription, problem: String) -> [Self] { [] }
  func fits(_ device: DeviceDescription) -> Bool { true }
}

/// `a * b` by a kernel whose configuration may be a bad one.
private struct ConfiguredProduct: Operation {
  static let name = "configured_product"
  static var samples: [Sample] { [] }
  private let product = FaultyProduct()

  var signature: String { product.signature }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    product.reference(inputs, &outputs)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try product.run(on: device, inputs, outputs)
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    switch device.configuration(ProductConfiguration.self, for: "any").behaviour {
    case .right: try product.run(on: device, inputs, outputs)
    case .writesNothing: break
    case .doesNotBuild:
      _ = try device.generatedKernel("broken", in: "broken", from: "broken") { "kernel void broken(" }
    }
  }
}

@Suite(.serialized, .exclusiveDevices) struct TuningTrialTests {
  private static let inputs: [Sample.Input] = [.init([3, 7]), .init([3, 7])]

  private static func problem(_ checks: [Sample]) -> TuningProblem {
    TuningProblem(ProductConfiguration.self, problem: "any", checks: checks) { _ in
      let all = Array(0..<21)
      let part = BenchmarkCheck.Part(
        operation: ConfiguredProduct(), inputs: [.init([3, 7]), .init([3, 7])],
        results: [.init(0, ofWhole: all)])
      return [OperationProblem(ConfiguredProduct(), inputs, check: BenchmarkCheck([part]))]
    }
  }

  private func openCLDevices() throws -> [OpenCLDevice] {
    try TestDevices.all().compactMap { $0 as? OpenCLDevice }
  }

  private func judge(_ behaviour: Behaviour, _ trial: TuningTrial) throws -> TuningOutcome {
    try trial.judge(ProductConfiguration(behaviour).parameters, seconds: 1e-6)
  }

  @Test func theResultOfAnEarlierConfigurationDoesNotStandInForALaterOne() throws {
    for device in try openCLDevices() {
      let trial = try TuningTrial(Self.problem([]), on: device)
      #expect(try judge(.right, trial).gain != nil)
      guard case .wrong = try judge(.writesNothing, trial) else {
        Issue.record("a configuration that writes nothing was timed")
        continue
      }
    }
  }

  @Test func aConfigurationThatDoesNotBuildFailsAndIsNotWrong() throws {
    for device in try openCLDevices() {
      let sample = Sample("t", ConfiguredProduct(), Self.inputs)
      for checks in [[], [sample]] {
        let trial = try TuningTrial(Self.problem(checks), on: device)
        guard case .failed(let reason) = try judge(.doesNotBuild, trial) else {
          Issue.record("not a failure")
          continue
        }
        #expect(reason.contains("cannot build"))
        #expect(try judge(.right, trial).gain != nil)
      }
    }
  }

  @Test func theConfigurationEndsWithItsTrial() throws {
    for device in try openCLDevices() {
      let trial = try TuningTrial(Self.problem([]), on: device)
      for behaviour in [Behaviour.writesNothing, .doesNotBuild] {
        _ = try judge(behaviour, trial)
        #expect(device.configuration(ProductConfiguration.self, for: "any").behaviour == .right)
      }
    }
  }
}

@Suite struct TuningCatalogueTests {
  private static func device(isProcessor: Bool) -> DeviceDescription {
    DeviceDescription(
      name: "x", product: "X", vendor: "X", driver: "1", languageVersion: "1.2", isProcessor: isProcessor,
      computeUnits: 8, memoryByteCount: 1 << 33, largestAllocation: 1 << 32, localMemoryByteCount: 64 << 10,
      largestWorkGroup: 1024, nativeFloatWidth: isProcessor ? 8 : 1)
  }

  @Test(arguments: [true, false]) func everyProblemHasSmallCases(isProcessor: Bool) {
    let problems = TuningCatalogue.problems(for: Self.device(isProcessor: isProcessor))
    #expect(problems.count > 10)
    for problem in problems { #expect(!problem.checks.isEmpty, "\(problem.key)") }
  }

  /// The small cases of a class of widths run by the kernels that are tuned.
  @Test func attentionsAreOfTheirClass() throws {
    for problem in TuningCatalogue.problems(for: Self.device(isProcessor: true))
    where problem.key.family.hasPrefix("attention") {
      for sample in problem.checks {
        let shapes = sample.inputs.map(\.type.shape)
        let size = AttentionExtents(shapes[0], shapes[1], shapes[2])
        #expect(AttentionLaunch.problem(size) == problem.key.problem, "\(sample.label)")
        #expect(Attention.isDecode(size) == (problem.key.family == "attention_decode"), "\(sample.label)")
        #expect(sample.checkedGradients.isEmpty == (problem.key.family != "attention_backward"))
      }
    }
  }

  /// Formulas against the reference on the host: a wrong case would make every configuration wrong.
  @Test func theSmallCasesAreRight() throws {
    let device = HostDevice()
    for problem in TuningCatalogue.problems(for: Self.device(isProcessor: false)) {
      // Those of products are the family's own samples.
      for sample in problem.checks where problem.key.family != "matmul" {
        let result = try OperationCheck(sample, comparesDifferences: false).run(on: device)
        #expect(result.passes, "\(problem.key) \(result.label): \(result.problems)")
      }
    }
  }
}
