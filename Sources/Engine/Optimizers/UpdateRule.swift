/// One optimizer: how one parameter and its state change, as an elementwise expression, and the numbers that
/// change from step to step.
///
/// Everything else (arenas, launches, clipping, checkpoints) is the same for all.
public protocol UpdateRule: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// Names of the state tensors, each of the parameter's shape and zero at first.
  var stateNames: [String] { get }
  /// Those of them that are never negative.
  var unsignedStates: Set<String> { get }
  /// How many numbers ``hyperparameters(_:)`` returns, at most 16.
  var hyperparameterCount: Int { get }

  /// The new parameter and the new state.
  ///
  /// - Parameters:
  ///   - gradient: The clipped gradient of the step's mean loss.
  ///   - hyper: The step's ``hyperparameters(_:)``.
  func update(
    parameter: PointwiseValue, gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue],
  ) -> (parameter: PointwiseValue, state: [PointwiseValue])

  /// Numbers of one step, computed in double precision.
  func hyperparameters(_ step: OptimizerStep) -> [Double]
}

extension UpdateRule {
  public var unsignedStates: Set<String> { [] }
}

/// Where an optimizer stands.
public struct OptimizerStep: Sendable, Hashable {
  /// 1 for the first update.
  public let number: Int
  public let learningRate: Double
  /// The schedule's highest learning rate.
  public let peakLearningRate: Double
  /// False for gains and biases, which are never decayed.
  public let decays: Bool

  public init(number: Int, learningRate: Double, peakLearningRate: Double, decays: Bool) {
    self.number = number
    self.learningRate = learningRate
    self.peakLearningRate = peakLearningRate
    self.decays = decays
  }
}

/// The optimizers that configurations can name.
///
/// Adding one is one file and one line here.
public enum OptimizerCatalogue {
  /// Each with its default settings.
  public static let all: [any UpdateRule] = [AdamW(), Adam(), SGD()]

  public static var names: [String] { all.map { type(of: $0).name } }

  /// The optimizer of this name with its default settings; nil for a name that none has.
  public static func rule(named name: String) -> (any UpdateRule)? { all.first { type(of: $0).name == name } }
}
