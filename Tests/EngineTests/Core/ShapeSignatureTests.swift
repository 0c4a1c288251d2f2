import Kernels
import Testing

@testable import Engine

@Suite struct ShapeSignatureTests {
  private func outputs(_ signature: String, _ types: [TensorType]) throws -> [TensorType] {
    try ShapeSignature(signature).outputs(of: "test", for: types)
  }

  private func expectError(
    _ signature: String, _ types: [TensorType], _ problem: String,
    sourceLocation: SourceLocation = #_sourceLocation,
  ) {
    let error = #expect(throws: ShapeError.self, sourceLocation: sourceLocation) {
      try outputs(signature, types)
    }
    #expect(error?.problem == problem, sourceLocation: sourceLocation)
    #expect(
      error?.description == "test: \(problem)\n  expected: \(signature)", sourceLocation: sourceLocation)
  }

  @Test func namesTakeTheirLengthsFromTheInputs() throws {
    #expect(
      try outputs("a [m, k], b [k, n] > c [m, n]", [.init([2, 3]), .init([3, 5])]) == [.init([2, 5])])
    #expect(
      try outputs("x [n, n] > y [n], z [n, 2, n]", [.init([4, 4])]) == [.init([4]), .init([4, 2, 4])])
  }

  @Test func restStandsForAnyAxes() throws {
    let signature = "x [..., dim], weight [dim] > y [..., dim], mean [...]"
    #expect(try outputs(signature, [.init([7]), .init([7])]) == [.init([7]), .init([])])
    #expect(
      try outputs(signature, [.init([2, 3, 7]), .init([7])]) == [.init([2, 3, 7]), .init([2, 3])])
    #expect(try outputs("x [a, ..., b] > y [b, ..., a]", [.init([2, 3, 4, 5])]) == [.init([5, 3, 4, 2])])
  }

  @Test func elementTypesAreNamed() throws {
    #expect(
      try outputs(
        "ids: int32 [n], mask: uint8 [n] > y [n], z: int32 [n]", [.init([3], .int32), .init([3], .uint8)])
        == [.init([3]), .init([3], .int32)])
  }

  @Test func anAxisMayBeEmpty() throws {
    #expect(try outputs("x [n, 3] > y [n]", [.init([0, 3])]) == [.init([0])])
    #expect(try outputs("x [] > y [1]", [.init([])]) == [.init([1])])
  }

  @Test func spacesDoNotMatter() throws {
    #expect(try outputs("a[m,k],b[k,n]>c[m,n]", [.init([2, 3]), .init([3, 5])]) == [.init([2, 5])])
    #expect(try outputs("  a [ m ,k ] ,  b [k]  >  c [ m ]  ", [.init([2, 3]), .init([3])]) == [.init([2])])
  }

  @Test func everyMisfitIsNamed() {
    expectError("a [n], b [n] > c [n]", [.init([2])], "takes 2 inputs, not 1")
    expectError("a [n] > c [n]", [.init([2]), .init([2])], "takes 1 inputs, not 2")
    expectError(
      "ids: int32 [n] > y [n]", [.init([2])], "'ids' has elements of float32, not int32")
    expectError("x [n] > y [n]", [.init([2], .uint8)], "'x' has elements of uint8, not float32")
    expectError("x [m, n] > y [n]", [.init([2])], "'x' has 1 axes: [2]")
    expectError("x [m, n] > y [n]", [.init([2, 3, 4])], "'x' has 3 axes: [2, 3, 4]")
    expectError("x [..., m, n] > y [n]", [.init([2])], "'x' has 1 axes: [2]")
    expectError("x [m, 4] > y [m]", [.init([2, 5])], "axis 1 of x [2, 5] must be 4")
    expectError(
      "a [m, k], b [k, n] > c [m, n]", [.init([2, 3]), .init([4, 5])],
      "'k' is 4 in b [4, 5] but 3 in a [2, 3]")
    expectError("x [n, n] > y [n]", [.init([2, 3])], "'n' is 3 in x [2, 3] but 2 in x [2, 3]")
    expectError(
      "x [..., n], y [...] > z [...]", [.init([2, 3]), .init([4])], "'...' is [4] in y [4] but [2] before")
    expectError(
      "a [n], ids: int32 [n] > c [n]", [.init([2]), .init([3], .int32)],
      "'n' is 3 in ids int32 [3] but 2 in a [2]")
  }

  @Test func aSignatureThatIsNoneTraps() async {
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x [n], y [n]") }
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x: float16 [n] > y [n]") }
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x [n], y n] > z [n]") }
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x [n] weight > z [n]") }
    // A length that no input tells.
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x [n] > y [m]") }
    await #expect(processExitsWith: .failure) { _ = ShapeSignature("x [n] > y [...]") }
  }

  @Test func everyOperationHasASignatureThatItsSamplesFit() throws {
    for operation in OperationCatalogue.all {
      for sample in operation.samples {
        let types = try sample.operation.outputTypes(for: sample.inputs.map(\.type))
        #expect(!types.isEmpty, "\(operation.name) \(sample.label)")
      }
    }
  }
}
