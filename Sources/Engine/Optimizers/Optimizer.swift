public import Kernels
import NumberFormats

/// Applies an ``UpdateRule`` to all parameters: one launch for those that are decayed, one for the others.
///
/// What is stored in fewer bits is updated in pieces, so that the floats between are few.
public final class Optimizer {
  public let rule: any UpdateRule
  public let stateFormat: StateFormat
  /// One arena of floats per state tensor, in the parameters' layout from element ``firstFloat`` on.
  public let state: [Memory]
  /// Those in front of it; empty where all are floats.
  let dynamicState: [DynamicArena]
  /// 0, or where the parameters begin whose state is floats although others' is not.
  let firstFloat: Int
  /// Updates made so far.
  public private(set) var stepCount = 0

  let store: ParameterStore
  private let groups: [Group]
  private let program: PointwiseProgram
  private let seed: UInt64

  /// How states are stored between updates.
  public enum StateFormat: String, Sendable, CaseIterable {
    case fp32
    /// Eight bits a number on a dynamic map with a float per 256; those of small and of undecayed tensors stay floats.
    case int8
  }

  /// A contiguous part of the arenas with one set of hyperparameters.
  private struct Group {
    let decays: Bool
    /// Its first element among all.
    let first: Int
    let count: Int
    let values: StoredArena
    let gradients: Memory
    let state: [StoredArena]
    let hyperparameters: Memory

    /// Elements that are updated at once.
    var piece: Int {
      values.isCompact || state.contains(where: \.isCompact) ? DynamicArena.alignment * 2 : max(1, count)
    }
  }

  /// - Parameters:
  ///   - stateFormat: How states are stored.
  ///   - seed: Of stochastic rounding, where weights are stored in fewer bits.
  /// - Precondition: `store` has gradients.
  public init(
    _ rule: any UpdateRule, for store: ParameterStore, stateFormat: StateFormat = .fp32, seed: UInt64 = 0,
  ) {
    guard let gradients = store.gradients else { preconditionFailure("an optimizer needs gradients") }
    self.rule = rule
    self.store = store
    self.stateFormat = stateFormat
    self.seed = seed
    let device = store.device
    let first = stateFormat == .int8 ? store.largeCount : 0
    firstFloat = first
    let arenas = rule.stateNames.map { _ in device.allocate(gradients.count - first, of: .float32) }
    for memory in arenas { device.zero(memory) }
    state = arenas
    let dynamic =
      first == 0
      ? []
      : rule.stateNames.map {
        DynamicArena(first, isSigned: !rule.unsignedStates.contains($0), on: device)
      }
    dynamicState = dynamic
    let (decayed, end) = (store.decayedCount, gradients.count)
    let ranges = [(true, 0..<first), (true, first..<decayed), (false, decayed..<end)]
    groups = ranges.filter { !$0.1.isEmpty }.map { decays, range in
      Group(
        decays: decays, first: range.lowerBound, count: range.count, values: store.arena(range),
        gradients: gradients.view(from: range.lowerBound, count: range.count),
        state: range.lowerBound < first
          ? dynamic.map { .dynamic($0) }
          : arenas.map { .floats($0.view(from: range.lowerBound - first, count: range.count)) },
        hyperparameters: device.allocate(rule.hyperparameterCount, of: .float32))
    }
    program = Optimizer.program(rule)
  }

  /// Inputs: parameter, gradient, clip factor, whether to keep the update, hyperparameters, state.
  private static func program(_ rule: any UpdateRule) -> PointwiseProgram {
    let hyperCount = rule.hyperparameterCount
    return PointwiseProgram(inputs: 4 + hyperCount + rule.stateNames.count) { x in
      let state = Array(x[(4 + hyperCount)...])
      let next = rule.update(
        parameter: x[0], gradient: x[1] * x[2], state: state, hyper: Array(x[4..<4 + hyperCount]))
      // A step with a non-finite gradient changes nothing.
      let values = [next.parameter] + next.state
      return zip(values, [x[0]] + state).map { x[3].select($0, $1) }
    }
  }

  /// Makes one update from the gradients in the store and forgets them.
  ///
  /// - Parameters:
  ///   - clip: Factor of the gradient and whether the update is kept; see ``GradientClip``.
  public func step(learningRate: Double, peakLearningRate: Double, clip: GradientClip.Result, on tape: Tape) {
    store.completeGradients()
    stepCount += 1
    for group in groups {
      let step = OptimizerStep(
        number: stepCount, learningRate: learningRate, peakLearningRate: peakLearningRate,
        decays: group.decays)
      store.device.writeSmall(rule.hyperparameters(step).map { Float($0) }, to: group.hyperparameters)
      apply(to: group, clip: clip, on: tape)
    }
    store.clearGradients()
  }

  private func apply(to group: Group, clip: GradientClip.Result, on tape: Tape) {
    for start in stride(from: 0, to: group.count, by: group.piece) {
      let range = start..<min(group.count, start + group.piece)
      let arenas = [group.values] + group.state
      let floats = arenas.map { $0.floats(range, on: tape) }
      let gradient = Tensor(
        group.gradients.view(from: start, count: range.count), shape: [range.count])
      update(floats, gradient, group.hyperparameters, clip: clip, on: tape)
      for (index, arena) in arenas.enumerated() {
        let bits = RoundingBits(
          seed: seed, step: UInt64(stepCount), tensor: UInt64(index) << 40 | UInt64(group.first + start))
        arena.store(floats[index], range, randomness: bits, on: tape)
      }
    }
  }

  /// Changes values and state in place.
  private func update(
    _ floats: [Tensor], _ gradient: Tensor, _ hyperparameters: Memory, clip: GradientClip.Result,
    on tape: Tape,
  ) {
    let hyperCount = rule.hyperparameterCount
    let operands: [Pointwise.Operand] =
      [.init(0), .init(1), .init(2, .element(0)), .init(3, .element(0))]
      + (0..<hyperCount).map { .init(4, .element($0)) } + (1..<floats.count).map { .init(4 + $0) }
    let inputs =
      [floats[0], gradient, clip.factor, clip.isFinite, Tensor(hyperparameters, shape: [hyperCount])]
      + floats[1...]
    let outputs = Dictionary(uniqueKeysWithValues: floats.enumerated().map { ($0.offset, $0.element) })
    tape.apply(Pointwise(program, operands: operands), inputs, into: outputs)
  }

  /// Continues from a checkpoint: the state arenas were filled by the caller.
  public func restore(stepCount: Int) { self.stepCount = stepCount }
}

extension ParameterStore {
  /// Elements of the arenas' layout as they are stored: all decayed, or none of them.
  fileprivate func arena(_ range: Range<Int>) -> StoredArena {
    guard let packedValues else {
      return .floats(values.view(from: range.lowerBound, count: range.count))
    }
    guard range.lowerBound >= decayedCount else {
      return .halves(packedValues.view(from: range.lowerBound, count: range.count))
    }
    return .floats(values.view(from: range.lowerBound - decayedCount, count: range.count))
  }
}

/// Scales all gradients so that their common Euclidean norm is at most a maximum.
///
/// `factor = min(1, maximum / (norm + epsilon))`, on the device: nothing is waited for.
public struct GradientClip: Sendable {
  /// The largest norm; 0 or less leaves gradients as they are.
  public let maximumNorm: Double
  public let epsilon: Double

  public init(maximumNorm: Double, epsilon: Double = 1e-6) {
    self.maximumNorm = maximumNorm
    self.epsilon = epsilon
  }

  /// Numbers on the device, each of shape [1].
  public struct Result {
    public let factor: Tensor
    /// 1 when the norm is finite, else 0.
    public var isFinite: Tensor
    /// The norm before clipping.
    public let norm: Tensor

    public init(factor: Tensor, isFinite: Tensor, norm: Tensor) {
      self.factor = factor
      self.isFinite = isFinite
      self.norm = norm
    }
  }

  /// - Parameter gradients: All gradients, in one arena whose padding is zero.
  public func callAsFunction(_ gradients: Tensor, on tape: Tape) -> Result {
    let square = tape.apply(SumOfSquares(), [gradients.reshaped(to: [gradients.shape.count])])[0]
    let (maximumNorm, epsilon) = (maximumNorm, epsilon)
    let program = PointwiseProgram(inputs: 1) { x in
      let norm = x[0].sqrt()
      let one = norm.constant(1)
      let factor = maximumNorm > 0 ? one.minimum(maximumNorm / (norm + epsilon)) : one
      // Not `norm < infinity` alone: a comparison with NaN is false as well.
      let isFinite = norm.isLess(than: norm.constant(1e30))
      return [factor, isFinite, norm]
    }
    let results = tape.apply(Pointwise(program), [square])
    return Result(factor: results[0], isFinite: results[1], norm: results[2])
  }
}
