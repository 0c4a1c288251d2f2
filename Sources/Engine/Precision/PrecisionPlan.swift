public import NumberFormats

/// Which linear layers multiply rounded operands, and when.
///
/// A model's ``ParameterStore`` holds its plan; ``Linear`` asks its weight. The rounding of a step is a pure function of
/// (seed, step, micro-batch, weight, operand), so that reruns and recomputed layers round alike.
public final class PrecisionPlan {
  public let formats: LinearFormats
  private let seed: UInt64
  /// Steps from this one on are in single precision; nil for none.
  private let fullFrom: Int?
  /// Of the formats' Hadamard transforms, by size: on the device once, for a write in a step would wait.
  let transformSigns: [Int: Tensor]
  /// Of operands that are not scaled by their own largest magnitude; nil where all are.
  let maxima: RememberedMaxima?
  /// The training step that is being made, or was the last.
  private(set) var step: Int
  private var draw = Draw.others

  /// Whose random bits are drawn: of stochastic rounding, so that what is made has the same whatever was made before.
  private enum Draw {
    case training(microBatch: Int)
    /// By the number of a batch's first window, in every evaluation alike.
    case evaluation(window: Int)
    /// Generation, and what is computed before training.
    case others

    /// - Parameter step: Of training.
    func number(_ step: Int) -> UInt64 {
      switch self {
      case .training(let microBatch): UInt64(step) << 20 | UInt64(microBatch)
      case .evaluation(let window): 1 << 63 | UInt64(window)
      case .others: 1 << 63 | 1 << 62
      }
    }
  }

  /// - Parameters:
  ///   - fullFrom: The first step whose products are in single precision; nil for none.
  ///   - weights: Names of those that will take part.
  public init(
    _ formats: LinearFormats, seed: UInt64, fullFrom: Int? = nil, step: Int = 0, weights: [String],
    on device: any OperationDevice,
  ) {
    self.formats = formats
    let sizes = Set(LinearOperand.allCases.compactMap { formats[$0]?.hadamard })
    let rounding = LinearRounding(formats: formats, seed: seed)
    transformSigns = Dictionary(
      uniqueKeysWithValues: sizes.map { ($0, Tensor(rounding.signs($0), shape: [$0], on: device)) })
    maxima = RememberedMaxima(formats, weights: weights, on: device)
    self.seed = seed
    self.fullFrom = fullFrom
    self.step = step
  }

  /// Whether products are rounded at this step.
  private var isActive: Bool { fullFrom.map { step < $0 } ?? true }

  /// Tells which part of a training step is made next.
  func begin(step: Int, microBatch: Int) {
    self.step = step
    draw = .training(microBatch: microBatch)
    if isActive { maxima?.begin(step: step, microBatch: microBatch) }
  }

  /// Ends a training step, behind its last launch.
  ///
  /// - Parameter isKept: Whether the update was made.
  func endStep(isKept: Bool) throws {
    draw = .others
    try maxima?.end(isKept: isKept)
  }

  /// Tells which windows are evaluated next; nil when the evaluation is over.
  func evaluate(window: Int?) { draw = window.map { .evaluation(window: $0) } ?? .others }

  /// Lets the products of a weight be rounded.
  func apply(to weight: Parameter, weightScale: LearnedScale? = nil, inputScale: LearnedScale? = nil) {
    weight.precision = WeightPrecision(
      plan: self, name: weight.name, weightScale: weightScale, inputScale: inputScale)
  }

  fileprivate func rounding(of weight: String) -> LinearRounding? {
    guard isActive else { return nil }
    return LinearRounding(formats: formats, seed: seed, step: draw.number(step), weight: weight)
  }
}

/// A weight's part in a ``PrecisionPlan``.
struct WeightPrecision {
  fileprivate let plan: PrecisionPlan
  fileprivate let name: String
  /// Trained with the weight; nil where the format has others.
  let weightScale: LearnedScale?
  /// Of what the weight is multiplied with.
  let inputScale: LearnedScale?

  /// How the weight's products are rounded now; nil for single precision.
  var rounding: LinearRounding? { plan.rounding(of: name) }
  var transformSigns: [Int: Tensor] { plan.transformSigns }
  var formats: LinearFormats { plan.formats }
  var maxima: RememberedMaxima? { plan.maxima }
}

/// How the products of one weight are rounded in one micro-batch.
struct LinearRounding: Sendable, Hashable {
  let formats: LinearFormats
  fileprivate let seed: UInt64
  fileprivate let step: UInt64
  /// The weight's name.
  let weight: String
  /// In place of drawn ones.
  var givenSigns: [Float]?

  init(
    formats: LinearFormats, seed: UInt64, step: UInt64 = 0, weight: String = "", givenSigns: [Float]? = nil
  ) {
    self.formats = formats
    self.seed = seed
    self.step = step
    self.weight = weight
    self.givenSigns = givenSigns
  }

  /// The random bits of an operand.
  func bits(_ operand: LinearOperand) -> RoundingBits {
    RoundingBits(
      seed: seed, step: step, tensor: CounterRandom.hash(of: weight) &* 8 &+ UInt64(operand.rawValue))
  }

  /// The signs of a Hadamard transform: the same for both operands of a product, in every layer and step.
  func signs(_ size: Int) -> [Float] {
    if let givenSigns { return givenSigns }
    return HadamardTransform.signs(size: size, seed: seed)
  }
}

/// The six operands of a linear layer's three products.
enum LinearOperand: Int, Sendable, CaseIterable {
  case fpropInput, fpropWeight
  case dgradCotangent, dgradWeight
  case wgradCotangent, wgradInput
}

extension LinearFormats {
  subscript(operand: LinearOperand) -> OperandFormat? {
    switch operand {
    case .fpropInput: fpropInput
    case .fpropWeight: fpropWeight
    case .dgradCotangent: dgradCotangent
    case .dgradWeight: dgradWeight.rounded
    case .wgradCotangent: wgradCotangent
    case .wgradInput: wgradInput.rounded
    }
  }
}
