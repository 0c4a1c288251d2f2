import Kernels
import NumberFormats

/// The last steps of quantization-aware training: only weights near a threshold between two codes move, so that what
/// oscillates settles and all else keeps its value.
///
/// Which weights are free is decided anew in every step. Everything else, norms and embeddings and learned scales included,
/// has no gradient and is put back behind the optimizer, whose momentum and decay would move it.
///
/// - SeeAlso: Liu et al., "Oscillation-free Quantization for Low-bit Vision Transformers", 2023 (confidence-guided annealing).
final class ThresholdAnnealing {
  private let store: ParameterStore
  /// In steps between two levels.
  private let radius: Float
  private let free: Memory
  private let kept: Memory

  init(_ store: ParameterStore, radius: Double) {
    self.store = store
    self.radius = Float(radius)
    free = store.device.allocate(store.values.count, of: .float32)
    kept = store.device.allocate(store.values.count, of: .float32)
    store.device.zero(free)
  }

  private var shape: Shape { [store.values.count] }

  /// In front of the optimizer: decides which weights are free, and takes the gradients of the others away.
  func begin(on tape: Tape) {
    for (weight, quantizer) in store.uniformWeights {
      guard let range = store.range(of: weight.name) else { continue }
      let place = Tensor(
        free.view(from: range.lowerBound, count: weight.shape.count), shape: weight.shape)
      let near = tape.uniform(weight, quantizer, .nearThreshold(radius))
      let result = weight.linearLayout == .inOut ? tape.transposed(near) : near
      store.device.copy(result.memory, to: place.memory)
    }
    guard let gradients = store.gradients else { return }
    store.completeGradients()
    let target = Tensor(gradients, shape: shape)
    tape.apply(
      Pointwise(PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }), [target, Tensor(free, shape: shape)],
      into: [0: target])
    store.device.copy(store.values, to: kept)
  }

  /// Behind the optimizer: what is not free gets its value back.
  func end(on tape: Tape) {
    let values = Tensor(store.values, shape: shape)
    tape.apply(
      Pointwise(PointwiseProgram(inputs: 3) { [$0[0].select($0[1], $0[2])] }),
      [Tensor(free, shape: shape), values, Tensor(kept, shape: shape)], into: [0: values])
  }
}
