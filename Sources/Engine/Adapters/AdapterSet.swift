import Kernels
import NumberFormats

/// The adapters of a model: two small matrices for each adapted weight, which alone are trained.
///
/// ``ParameterStore/adapters`` holds them; ``Linear`` asks its weight.
public final class AdapterSet {
  public let settings: LowRankAdapter
  /// `<layer>.lora_A.weight` [rank, in] and `<layer>.lora_B.weight` [out, rank] of every adapted layer.
  public let parameters: ParameterStore
  /// The adapted layers: names of weights of the model, in its order.
  public let weights: [String]
  /// What the adapters began with where the model's weights were changed by it: see ``GradientInitialization``.
  var starts: [String: AdapterStart] = [:]
  /// The folder of the model below, for checkpoints; empty for a new model.
  var basePath = ""

  private let moment = TrainingMoment()

  /// Puts adapters on linear layers; their values are zero.
  ///
  /// - Parameters:
  ///   - store: The model's parameters, after the model was made of them: its ``Linear``s mark their weights.
  ///   - trains: Allocates gradients.
  /// - Throws: ``AdapterError`` when a target fits no layer.
  @discardableResult
  init(_ settings: LowRankAdapter, for store: ParameterStore, trains: Bool) throws {
    let linear = store.parameters.filter { $0.linearLayout != nil }
    guard !linear.isEmpty else { throw AdapterError.noLinearLayer }
    for part in settings.targets where !linear.contains(where: { LowRankAdapter.has($0.name, part) }) {
      throw AdapterError.noTarget(part, names: linear.map(\.name))
    }
    let adapted = linear.filter { settings.adapts($0.name) }
    for weight in adapted {
      let largest = min(weight.shape[0], weight.shape[1])
      // The gradient's singular vectors serve twice.
      let limit = settings.initialization == .gradient ? largest / 2 : largest
      guard settings.rank <= limit else {
        throw AdapterError.rankTooLarge(settings.rank, largest: limit, name: weight.name, shape: weight.shape)
      }
    }
    self.settings = settings
    weights = adapted.map(\.name)
    let specifications = adapted.flatMap { weight -> [ParameterSpecification] in
      let (out, input) = weight.linearExtents
      return [
        ParameterSpecification(Self.nameOfA(weight.name), [settings.rank, input], decays: true),
        ParameterSpecification(Self.nameOfB(weight.name), [out, settings.rank], decays: true),
      ]
    }
    parameters = ParameterStore(specifications, on: store.device, trains: trains)
    for weight in adapted {
      guard let a = parameters[Self.nameOfA(weight.name)], let b = parameters[Self.nameOfB(weight.name)]
      else {
        continue
      }
      weight.adapter = WeightAdapter(
        a: a, b: b, scale: settings.scale, dropout: settings.dropout, seed: settings.seed, moment: moment)
    }
    store.adapters = self
  }

  /// A layer's name without the ending of its weight.
  static func layer(_ weight: String) -> String {
    weight.hasSuffix(".weight") ? String(weight.dropLast(".weight".count)) : weight
  }

  static func nameOfA(_ weight: String) -> String { layer(weight) + ".lora_A.weight" }
  static func nameOfB(_ weight: String) -> String { layer(weight) + ".lora_B.weight" }

  /// Values of a new adapter: A by chance, a pure function of the seed and its name, B zero.
  func initialize() {
    guard !(parameters.device is PlanningDevice) else { return }
    for weight in weights {
      guard let a = parameters[Self.nameOfA(weight)] else { continue }
      let random = CounterRandom(seed: settings.seed, stream: a.name)
      // Kaiming's uniform distribution with the slope sqrt(5), which is 1 / sqrt(in).
      let bound = 1 / Double(a.shape[1]).squareRoot()
      parameters.device.write(
        (0..<a.shape.count).map { Float((2 * random.uniform(UInt64($0)) - 1) * bound) }, to: a.memory)
    }
  }

  /// Dropout is on from here, and a pure function of these numbers, to ``endTraining()``.
  func beginTraining(step: Int, microBatch: Int) { moment.step = UInt64(step) << 20 | UInt64(microBatch) }

  func endTraining() { moment.step = nil }

  /// Adds the adapters to the weights that they stand beside, `w += scale B A`, and takes them off.
  public func merge(into store: ParameterStore) {
    let tape = Tape(on: store.device, isRecording: false)
    for weight in store.parameters {
      guard let adapter = weight.adapter else { continue }
      weight.add(adapter.scale, b: adapter.b.value, a: adapter.a.value, on: tape)
      weight.adapter = nil
    }
    store.adapters = nil
  }
}

/// What an adapter began with, and what was taken from the weight for it.
struct AdapterStart {
  /// [rank, in].
  let a: [Float]
  /// [out, rank].
  let b: [Float]
}

/// How a weight of a linear layer is stored.
enum LinearLayout: Sendable {
  /// [out, in].
  case outIn
  /// [in, out], as in GPT-2.
  case inOut
}

extension Parameter {
  /// Rows of `w` in `x w^T`, and its columns.
  var linearExtents: (out: Int, input: Int) {
    linearLayout == .inOut ? (shape[1], shape[0]) : (shape[0], shape[1])
  }

  /// `w += factor b a`, in the weight's own layout.
  ///
  /// - Parameters:
  ///   - b: [out, rank].
  ///   - a: [rank, in].
  func add(_ factor: Double, b: Tensor, a: Tensor, on tape: Tape) {
    let scaled = tape.scale(b, by: factor)
    let isTransposed = linearLayout == .inOut
    tape.apply(
      MatMul(transposeA: isTransposed, transposeB: isTransposed, accumulates: true),
      isTransposed ? [a, scaled] : [scaled, a], into: [0: value])
  }
}

/// The step that is being trained, shared by all adapters of a model; nil while nothing is.
final class TrainingMoment {
  var step: UInt64?
}

/// What stands beside a frozen weight.
struct WeightAdapter {
  /// [rank, in].
  let a: Parameter
  /// [out, rank].
  let b: Parameter
  let scale: Double
  let dropout: Double
  let seed: UInt64
  let moment: TrainingMoment

  /// `y + scale (dropout(x) A^T) B^T`.
  ///
  /// - Parameters:
  ///   - y: What the frozen layer makes of `x`, [..., out].
  ///   - x: [..., in].
  func add(to y: Tensor, _ x: Tensor, _ tape: Tape) -> Tensor {
    let rows = x.reshaped(to: [x.shape.rows, x.shape.last])
    let inner = tape.scale(tape.linear(dropped(rows, tape), weight: tape.parameter(a)), by: scale)
    let product = MatMul(transposeB: true, hasResidual: true)
    let outer = y.reshaped(to: [y.shape.rows, y.shape.last])
    return tape.apply(product, [inner, tape.parameter(b), outer])[0].reshaped(to: y.shape)
  }

  private func dropped(_ x: Tensor, _ tape: Tape) -> Tensor {
    guard dropout > 0, let step = moment.step else { return x }
    let stream = CounterRandom(seed: seed, stream: a.name).bits(0)
    let bits = RoundingBits(seed: seed, step: step, tensor: stream)
    return tape.apply(Dropout(probability: dropout, bits: bits), [x])[0]
  }
}
