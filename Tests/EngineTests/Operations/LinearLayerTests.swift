import Kernels
import Testing

@testable import Engine

/// Laws of the operations round linear attention that single samples cannot show.
@Suite struct LinearLayerTests {
  private let device = ReferenceDevice<Double>()

  private func normals(_ shape: Shape, _ stream: String) -> Tensor {
    Tensor(
      CounterRandom(seed: 3, stream: stream).normals(shape.count, deviation: 1), shape: shape, on: device)
  }

  private func expectEqual(_ a: [Double], _ b: [Double], _ note: String) {
    #expect(relativeError(a, b) < 1e-12, "\(note)")
  }

  /// Rows `range` of the time axis of [1, time, channels].
  private func part(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    let channels = x.shape[2]
    let values = device.values(x.memory).map { Float($0) }
    let chosen = Array(values[range.lowerBound * channels..<range.upperBound * channels])
    return Tensor(chosen, shape: [1, range.count, channels], on: device)
  }

  @Test(arguments: [1, 2, 5, 11]) func convolutionGoesOnFromItsState(first: Int) {
    let tape = Tape(on: device, isRecording: false)
    let (x, weight) = (normals([1, 12, 3], "x"), normals([3, 4], "weight"))
    let whole = tape.causalConvolution(x, weight: weight, activation: .silu)
    let a = tape.causalConvolution(part(x, 0..<first), weight: weight, activation: .silu)
    let b = tape.causalConvolution(
      part(x, first..<12), weight: weight, activation: .silu, initialState: a.finalState)
    expectEqual(
      device.values(a.y.memory) + device.values(b.y.memory), device.values(whole.y.memory),
      "split at \(first)")
    expectEqual(device.values(b.finalState.memory), device.values(whole.finalState.memory), "final state")
  }

  @Test func documentsOfTheConvolutionDoNotMeet() {
    let tape = Tape(on: device, isRecording: false)
    let (x, weight) = (normals([1, 9, 2], "x"), normals([2, 4], "weight"))
    let ids = Tensor([7, 7, 7, 7, 1, 1, 1, 1, 1] as [Int32], shape: [1, 9], on: device)
    let packed = tape.causalConvolution(x, weight: weight, activation: .none, documents: ids)
    let alone = [0..<4, 4..<9].map {
      tape.causalConvolution(part(x, $0), weight: weight, activation: .none)
    }
    expectEqual(
      alone.flatMap { device.values($0.y.memory) }, device.values(packed.y.memory), "documents apart")
    expectEqual(
      device.values(alone[1].finalState.memory), device.values(packed.finalState.memory), "final state")
  }

  @Test func decaysAreNeverGrowth() {
    for kind in LinearAttentionDecay.allCases {
      for (heads, layer, layers) in [(1, 0, 1), (8, 11, 12), (12, 0, 4), (5, 2, 3)] {
        let decays = kind.logDecays(heads: heads, layer: layer, layers: layers)
        #expect(decays.count == heads && decays.allSatisfy { $0 <= 0 && $0.isFinite }, "\(kind)")
      }
    }
  }
}
