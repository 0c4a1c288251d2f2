import Kernels
import Testing

@testable import Engine

@Suite struct HostPointwiseTests {
  /// Several blocks and a part of one.
  private static let count = 700

  /// Runs a program whose two results take the places of its two operands.
  private func inPlace(_ body: ([PointwiseValue]) -> [PointwiseValue]) throws -> ([Float], [Float]) {
    let device = HostDevice(threads: 2)
    let tape = Tape(on: device, isRecording: false)
    let a = Tensor((0..<Self.count).map { Float($0) }, shape: [Self.count], on: device)
    let b = Tensor((0..<Self.count).map { Float(-2 * $0) }, shape: [Self.count], on: device)
    tape.apply(Pointwise(PointwiseProgram(inputs: 2, body)), [a, b], into: [0: a, 1: b])
    return (try a.floats(on: device), try b.floats(on: device))
  }

  private func expected(_ value: (Float) -> Float) -> [Float] { (0..<Self.count).map { value(Float($0)) } }

  @Test func operandsChangePlaces() throws {
    let (first, second) = try inPlace { [$0[1], $0[0]] }
    #expect(first == expected { -2 * $0 })
    #expect(second == expected { $0 })
  }

  @Test func theSecondResultReadsWhatTheFirstReplaces() throws {
    let (first, second) = try inPlace { [$0[0] + $0[1], $0[0] * 3] }
    #expect(first == expected { -$0 })
    #expect(second == expected { 3 * $0 })
  }

  @Test func aReplacedOperandIsAlsoAResult() throws {
    let (first, second) = try inPlace { [$0[0] + 1, $0[0]] }
    #expect(first == expected { $0 + 1 })
    #expect(second == expected { $0 })
  }

  @Test func oneValueIsBothResults() throws {
    let (first, second) = try inPlace { x in
      let sum = x[0] + x[1]
      return [sum, sum]
    }
    #expect(first == expected { -$0 })
    #expect(second == first)
  }

  @Test func aConstantIsAResult() throws {
    let (first, second) = try inPlace { [$0[0].constant(7), $0[0] + $0[0].constant(7)] }
    #expect(first == expected { _ in 7 })
    #expect(second == expected { $0 + 7 })
  }
}
