public import Kernels

/// Applies an ``UpdateRule`` to all parameters: one launch for those that are decayed, one for the others.
public final class Optimizer {
  public let rule: any UpdateRule
  /// One arena per state tensor, in the parameters' layout.
  public let state: [Memory]
  /// Updates made so far.
  public private(set) var stepCount = 0

  private let store: ParameterStore
  private let groups: [Group]
  private let program: PointwiseProgram

  /// A contiguous part of the arenas with one set of hyperparameters.
  private struct Group {
    let decays: Bool
    let count: Int
    let values: Memory
    let gradients: Memory
    let state: [Memory]
    let hyperparameters: Memory
  }

  /// - Precondition: `store` has gradients.
  public init(_ rule: any UpdateRule, for store: ParameterStore) {
    guard let gradients = store.gradients else { preconditionFailure("an optimizer needs gradients") }
    self.rule = rule
    self.store = store
    let device = store.device
    let arenas = rule.stateNames.map { _ in device.allocate(store.values.count, of: .float32) }
    for memory in arenas { device.zero(memory) }
    state = arenas
    let ranges = [(true, 0..<store.decayedCount), (false, store.decayedCount..<store.values.count)]
    groups = ranges.filter { !$0.1.isEmpty }.map { decays, range in
      Group(
        decays: decays, count: range.count,
        values: store.values.view(from: range.lowerBound, count: range.count),
        gradients: gradients.view(from: range.lowerBound, count: range.count),
        state: arenas.map { $0.view(from: range.lowerBound, count: range.count) },
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
    let shape: Shape = [group.count]
    let hyperCount = rule.hyperparameterCount
    let stateCount = rule.stateNames.count
    let operands: [Pointwise.Operand] =
      [.init(0), .init(1), .init(2, .element(0)), .init(3, .element(0))]
      + (0..<hyperCount).map { .init(4, .element($0)) } + (0..<stateCount).map { .init(5 + $0) }
    let values = Tensor(group.values, shape: shape)
    let state = group.state.map { Tensor($0, shape: shape) }
    let inputs = [
      values, Tensor(group.gradients, shape: shape), clip.factor, clip.isFinite,
      Tensor(group.hyperparameters, shape: [hyperCount]),
    ]
    let outputs = Dictionary(
      uniqueKeysWithValues: ([values] + state).enumerated().map { ($0.offset, $0.element) })
    tape.apply(Pointwise(program, operands: operands), inputs + state, into: outputs)
  }

  /// The names of all state tensors in checkpoints.
  var stateTensorNames: [String] {
    rule.stateNames.flatMap { state in store.parameters.map { "\(state).\($0.name)" } }
  }

  /// The state of one parameter by `<state>.<parameter>`, the name in checkpoints.
  func stateMemory(named name: String) -> Memory? {
    for (state, arena) in zip(rule.stateNames, state) where name.hasPrefix(state + ".") {
      guard let range = store.range(of: String(name.dropFirst(state.count + 1))) else { return nil }
      return arena.view(from: range.lowerBound, count: range.count)
    }
    return nil
  }

  /// Continues from a checkpoint: the state arenas were filled by the caller.
  public func restore(stepCount: Int) { self.stepCount = stepCount }
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
