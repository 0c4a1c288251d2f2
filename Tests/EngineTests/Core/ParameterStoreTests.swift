import Kernels
import Testing

@testable import Engine

@Suite struct ParameterStoreTests {
  private let specifications: [ParameterSpecification] = [
    .init("norm", [5], decays: false), .init("first", [3, 700], decays: true),
    .init("bias", [1], decays: false),
    .init("second", [1024], decays: true), .init("scalar", [], decays: false),
  ]

  private func store(trains: Bool = true) -> ParameterStore {
    ParameterStore(specifications, on: HostDevice(threads: 1), trains: trains)
  }

  @Test func decayedParametersComeFirst() throws {
    let store = store()
    #expect(store.parameters.map(\.name) == specifications.map(\.name), "the model's order is kept")
    let step = Memory.viewAlignment / 4
    #expect(store.range(of: "first") == 0..<2100)
    #expect(store.range(of: "second") == 3 * step..<4 * step)
    #expect(store.decayedCount == 4 * step)
    #expect(store.range(of: "norm") == 4 * step..<4 * step + 5)
    #expect(store.range(of: "bias") == 5 * step..<5 * step + 1)
    #expect(store.range(of: "scalar") == 6 * step..<6 * step + 1)
    #expect(store.values.count == 7 * step)
    #expect(store.range(of: "other") == nil)
    #expect(store["other"] == nil)
    #expect(store.count == 5 + 2100 + 1 + 1024 + 1)
  }

  @Test func rangesAreAlignedAndApart() {
    let store = store()
    let ranges = specifications.compactMap { store.range(of: $0.name) }.sorted {
      $0.lowerBound < $1.lowerBound
    }
    #expect(ranges.count == specifications.count)
    for range in ranges { #expect((range.lowerBound * 4).isMultiple(of: Memory.viewAlignment)) }
    for (range, next) in zip(ranges, ranges.dropFirst()) { #expect(range.upperBound <= next.lowerBound) }
    for specification in specifications {
      let isDecayed = (store.range(of: specification.name)?.lowerBound ?? 0) < store.decayedCount
      #expect(isDecayed == specification.decays, "\(specification.name)")
    }
  }

  @Test func paddingIsZeroAndStaysZero() throws {
    let store = store()
    let device = store.device
    var inside = Set<Int>()
    for parameter in store.parameters {
      let ones = [Float](repeating: 1, count: parameter.shape.count)
      device.write(ones, to: parameter.memory)
      device.write(ones, to: try #require(parameter.gradient))
      inside.formUnion(try #require(store.range(of: parameter.name)))
    }
    for arena in [store.values, try #require(store.gradients)] {
      let values = try device.read(arena, as: Float.self)
      #expect(values.indices.allSatisfy { values[$0] == (inside.contains($0) ? 1 : 0) })
    }
  }

  @Test func withoutTrainingThereAreNoGradients() {
    let store = store(trains: false)
    #expect(store.gradients == nil)
    #expect(store.parameters.allSatisfy { $0.gradient == nil })
    let tape = Tape(on: store.device, isRecording: true)
    #expect(tape.parameter(store.parameters[0]).variable == nil)
  }

  @Test func parametersThatGotNothingHaveZeroGradient() throws {
    let store = store()
    let device = store.device
    for parameter in store.parameters {
      device.write([Float](repeating: 9, count: parameter.shape.count), to: try #require(parameter.gradient))
    }
    store.parameters[1].gradientIsEmpty = false
    store.completeGradients()
    for parameter in store.parameters {
      let values = try device.read(try #require(parameter.gradient), as: Float.self)
      #expect(Set(values) == [parameter.name == "first" ? 9 : 0], "\(parameter.name)")
    }
    store.clearGradients()
    #expect(store.parameters.allSatisfy { $0.gradientIsEmpty })
  }

  @Test func aTapeSeesOneVariablePerParameter() throws {
    let store = store()
    let tape = Tape(on: store.device, isRecording: true)
    let first = tape.parameter(store.parameters[1])
    #expect(tape.parameter(store.parameters[1]).variable == first.variable)
    #expect(tape.parameter(store.parameters[3]).variable != first.variable)
  }
}
