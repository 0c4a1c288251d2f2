import Glibc

/// Adam with decoupled weight decay.
///
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = p (1 - lr wd) - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)`.
///
/// - SeeAlso: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; independent decay: Wortsman et
///   al., "Small-scale proxies for large-scale Transformer training instabilities", 2023.
public struct AdamW: UpdateRule {
  /// What the decay is multiplied with.
  public enum DecayMode: String, Sendable, Hashable, CaseIterable {
    /// The learning rate of the step.
    case scaledByLearningRate = "scaled_by_learning_rate"
    /// The schedule's factor alone: weight decay does not depend on the peak learning rate.
    case independent
  }

  public static let name = "adamw"
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double
  public var decayMode: DecayMode

  public init(
    beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1,
    decayMode: DecayMode = .scaledByLearningRate,
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decayMode = decayMode
  }

  public var stateNames: [String] { ["first_moment", "second_moment"] }
  public var unsignedStates: Set<String> { ["second_moment"] }
  public var hyperparameterCount: Int { AdamMoments.hyperparameterCount }

  public func update(
    parameter: PointwiseValue, gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue],
  ) -> (parameter: PointwiseValue, state: [PointwiseValue]) {
    let moments = AdamMoments(gradient: gradient, state: state, hyper: hyper)
    return (parameter * hyper[AdamMoments.decayFactor] - moments.step, moments.state)
  }

  public func hyperparameters(_ step: OptimizerStep) -> [Double] {
    let rate: Double
    switch decayMode {
    case .scaledByLearningRate: rate = step.learningRate
    case .independent: rate = step.peakLearningRate > 0 ? step.learningRate / step.peakLearningRate : 0
    }
    let decay = step.decays ? 1 - rate * weightDecay : 1
    return AdamMoments.hyperparameters(
      step, beta1: beta1, beta2: beta2, epsilon: epsilon, decayFactor: decay, coupledDecay: 0)
  }
}

/// Adam with weight decay added to the gradient (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015).
public struct Adam: UpdateRule {
  public static let name = "adam"
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double

  public init(beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  public var stateNames: [String] { ["first_moment", "second_moment"] }
  public var unsignedStates: Set<String> { ["second_moment"] }
  public var hyperparameterCount: Int { AdamMoments.hyperparameterCount }

  public func update(
    parameter: PointwiseValue, gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue],
  ) -> (parameter: PointwiseValue, state: [PointwiseValue]) {
    let decayed = gradient + hyper[AdamMoments.coupledDecay] * parameter
    let moments = AdamMoments(gradient: decayed, state: state, hyper: hyper)
    return (parameter - moments.step, moments.state)
  }

  public func hyperparameters(_ step: OptimizerStep) -> [Double] {
    AdamMoments.hyperparameters(
      step, beta1: beta1, beta2: beta2, epsilon: epsilon, decayFactor: 1,
      coupledDecay: step.decays ? weightDecay : 0)
  }
}

/// The moments that Adam and AdamW share, and the step that they give.
private struct AdamMoments {
  static let decayFactor = 6
  static let coupledDecay = 7
  static let hyperparameterCount = 9

  let step: PointwiseValue
  let state: [PointwiseValue]

  init(gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue]) {
    let first = hyper[0] * state[0] + hyper[1] * gradient
    let second = hyper[2] * state[1] + hyper[3] * gradient * gradient
    step = hyper[4] * first / (second.sqrt() * hyper[5] + hyper[8])
    self.state = [first, second]
  }

  /// `1 - b^t` is formed here, in double precision: in single precision `1 - 0.999` is wrong by 1.3e-5.
  static func hyperparameters(
    _ step: OptimizerStep, beta1: Double, beta2: Double, epsilon: Double, decayFactor: Double,
    coupledDecay: Double,
  ) -> [Double] {
    let correction1 = 1 - pow(beta1, Double(step.number))
    let correction2 = 1 - pow(beta2, Double(step.number))
    return [
      beta1, 1 - beta1, beta2, 1 - beta2, step.learningRate / correction1, 1 / correction2.squareRoot(),
      decayFactor, coupledDecay, epsilon,
    ]
  }
}
