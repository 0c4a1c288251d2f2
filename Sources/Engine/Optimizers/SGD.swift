/// Stochastic gradient descent with momentum and coupled weight decay.
///
/// `g = g + wd p`; `b = mu b + (1 - dampening) g` (the first step takes `b = g`); the direction is `b`, or
/// `g + mu b` with Nesterov; `p = p - lr direction`.
public struct SGD: UpdateRule {
  public static let name = "sgd"
  public var momentum: Double
  public var dampening: Double
  public var nesterov: Bool
  public var weightDecay: Double

  public init(momentum: Double = 0.9, dampening: Double = 0, nesterov: Bool = false, weightDecay: Double = 0)
  {
    self.momentum = momentum
    self.dampening = dampening
    self.nesterov = nesterov
    self.weightDecay = weightDecay
  }

  public var stateNames: [String] { momentum == 0 ? [] : ["momentum"] }
  public var hyperparameterCount: Int { 4 }

  public func update(
    parameter: PointwiseValue, gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue],
  ) -> (parameter: PointwiseValue, state: [PointwiseValue]) {
    let decayed = gradient + hyper[1] * parameter
    guard momentum != 0 else { return (parameter - hyper[0] * decayed, []) }
    let velocity = hyper[2] * state[0] + hyper[3] * decayed
    let direction = nesterov ? decayed + hyper[2] * velocity : velocity
    return (parameter - hyper[0] * direction, [velocity])
  }

  public func hyperparameters(_ step: OptimizerStep) -> [Double] {
    [
      step.learningRate, step.decays ? weightDecay : 0, momentum,
      step.number == 1 ? 1 : 1 - dampening,
    ]
  }
}
