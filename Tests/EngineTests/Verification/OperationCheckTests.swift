import Kernels
import Testing

@testable import Engine

/// The checker of operations finds what it says it finds: each fault that is put in is reported, nothing else is.
@Suite(.serialized, .exclusiveDevices) struct OperationCheckTests {
  private func problems(
    _ operation: FaultyProduct, count: Int = 40, on device: any OperationDevice,
  ) throws -> [String] {
    let sample = Sample(
      "n\(count)", operation, [.init([count]), .init([count])],
      initialOutput: operation.accumulates ? .normal(deviation: 1) : nil)
    return try OperationCheck(sample).run(on: device).problems
  }

  /// Expects exactly the problems that begin with `beginnings`.
  private func expect(
    _ operation: FaultyProduct, count: Int = 40, reports beginnings: [String],
    sourceLocation: SourceLocation = #_sourceLocation,
  ) throws {
    for device in try TestDevices.all() {
      let found = try problems(operation, count: count, on: device)
      let matches = found.count == beginnings.count && zip(found, beginnings).allSatisfy { $0.hasPrefix($1) }
      #expect(matches, "on \(device.description.name): \(found)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: [false, true], [6, 40, 161, 1000])
  func faultlessOperationsPass(accumulates: Bool, count: Int) throws {
    try expect(FaultyProduct(accumulates: accumulates), count: count, reports: [])
  }

  @Test func findsAWrongElement() throws {
    try expect(FaultyProduct(fault: .wrongElement), reports: ["output 0: error "])
    // One in a thousand.
    try expect(FaultyProduct(fault: .wrongElement), count: 1000, reports: ["output 0: error "])
    try expect(FaultyProduct(fault: .wrongElement, accumulates: true), reports: ["output 0: error "])
  }

  @Test func findsAForgottenElement() throws {
    try expect(
      FaultyProduct(fault: .forgottenElement),
      reports: ["output 0: an element is never written", "output 0: error inf is above "])
    // What is not added to keeps what it held.
    try expect(FaultyProduct(fault: .forgottenElement, accumulates: true), reports: ["output 0: error "])
  }

  @Test func findsWritesOutsideBounds() throws {
    for fault in [Fault.writesBefore, .writesAfter] {
      try expect(FaultyProduct(fault: fault), reports: ["output 0: written outside its bounds"])
    }
  }

  @Test func findsAChangedInput() throws {
    // The backward reads the changed input.
    try expect(
      FaultyProduct(fault: .changesInput),
      reports: ["input 1: changed by the operation", "gradient 0: error "])
  }

  @Test func findsAResultThatDiffersFromRunToRun() throws {
    try expect(
      FaultyProduct(fault: .differsBetweenRuns), reports: ["output 0: a second run gives other bits"])
  }

  @Test func findsAForgottenAddition() throws {
    try expect(FaultyProduct(fault: .forgetsToAdd, accumulates: true), reports: ["output 0: error "])
  }

  @Test(arguments: [-1, 0, 1.0001, 2]) func findsAWrongGradientFormula(factor: Double) throws {
    // Element by element, and along random directions.
    for count in [40, 1000] {
      try expect(
        FaultyProduct(gradientFactor: factor), count: count, reports: ["gradient of input 0: formula "])
    }
  }

  @Test func findsAForgottenGradient() throws {
    try expect(FaultyProduct(forgetsSecondGradient: true), reports: ["gradient of input 1: formula 0.0, "])
  }

  @Test func findsAGradientThatIsWrongOnTheDeviceAlone() throws {
    try expect(
      FaultyProduct(gradientFault: .wrongElement), reports: ["gradient 0: error ", "gradient 1: error "])
  }

  @Test func findsAReferenceThatAllowsEverything() throws {
    try expect(
      FaultyProduct(hasUselessReference: true),
      reports: ["output 0: the reference in single precision has no finite error"])
  }

  @Test func relativeErrorSeesWhatIsNotANumber() {
    #expect(relativeError([1, 2], [1, 2]) == 0)
    #expect(relativeError([], []) == 0)
    #expect(relativeError([1], [1, 2]) == .infinity)
    #expect(relativeError([.nan, 2], [1, 2]) == .infinity)
    #expect(relativeError([1, 2], [.nan, 2]) == .infinity)
    #expect(relativeError([.nan, 2], [.nan, 2]) == 0)
    #expect(relativeError([.infinity, 2], [1, 2]) == .infinity)
    #expect(relativeError([-.infinity, 2], [.infinity, 2]) == .infinity)
    #expect(relativeError([.infinity, 2], [.infinity, 2]) == 0)
    // Relative to the element and the root mean square of all.
    #expect(relativeError([1, 1.1], [1, 1]) == 0.10000000000000009 / 2)
  }
}
