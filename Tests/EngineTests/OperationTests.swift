import Engine
import Kernels
import Testing

@Suite(.serialized, .exclusiveDevices) struct OperationTests {
  /// Every sample of every operation, on every device of this machine.
  @Test(arguments: OperationCatalogue.all.map { $0.name })
  func keepsEveryPromise(name: String) throws {
    let operation = try #require(OperationCatalogue.all.first { $0.name == name })
    let devices = try TestDevices.all()
    for sample in operation.samples {
      let check = try OperationCheck(sample)
      for device in devices {
        let result = check.run(on: device)
        #expect(result.passes, "\(name) (\(sample.label)) on \(device.description.name): \(result.problems)")
      }
    }
  }

  @Test func everyOperationHasSamples() {
    for operation in OperationCatalogue.all { #expect(!operation.samples.isEmpty, "\(operation.name)") }
    #expect(Set(OperationCatalogue.all.map { $0.name }).count == OperationCatalogue.all.count)
  }
}
