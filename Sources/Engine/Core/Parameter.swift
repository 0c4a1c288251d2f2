public import Kernels

/// A trained tensor.
///
/// Identity matters: the optimizer writes into it.
public final class Parameter {
  /// The name in the checkpoint, for example `model.layers.0.mlp.up_proj.weight`.
  public let name: String
  public let shape: Shape
  /// Weight decay applies to matrices, never to gains and biases.
  public let decays: Bool
  public let memory: Memory
  /// Sum of gradients since the last step; nil when the model is not trained.
  public let gradient: Memory?
  /// True until the first contribution of a step: that one overwrites, later ones add.
  public internal(set) var gradientIsEmpty = true
  /// How products with this weight are rounded; nil for single precision.
  var precision: WeightPrecision?
  /// Set by the linear layer whose weight it is.
  var linearLayout: LinearLayout?
  /// Holds the value of a frozen weight of four bits, whose ``memory`` then is none; nil for floats.
  var packed: PackedWeight?
  /// What is trained in its place; nil for none.
  var adapter: WeightAdapter?

  init(name: String, shape: Shape, decays: Bool, memory: Memory, gradient: Memory?) {
    self.name = name
    self.shape = shape
    self.decays = decays
    self.memory = memory
    self.gradient = gradient
  }

  public var value: Tensor { Tensor(memory, shape: shape) }
}

/// What a model asks for; ``ParameterStore`` gives it memory.
public struct ParameterSpecification: Sendable, Hashable {
  public let name: String
  public let shape: Shape
  public let decays: Bool

  public init(_ name: String, _ shape: Shape, decays: Bool) {
    self.name = name
    self.shape = shape
    self.decays = decays
  }
}

/// All parameters of a model in one flat arena, and their gradients in another: an optimizer updates them in few
/// launches, and the global norm is one reduction.
public final class ParameterStore {
  public let device: any OperationDevice
  public let parameters: [Parameter]
  /// All values; the decayed parameters come first.
  ///
  /// Padding between parameters is zero.
  public let values: Memory
  /// All gradients in the same layout; nil when not trained.
  public let gradients: Memory?
  /// Elements `0..<decayedCount` of the arenas are decayed.
  public let decayedCount: Int
  /// What the products of linear layers are rounded to; nil for single precision.
  public internal(set) var precision: PrecisionPlan?

  /// What is trained in place of these parameters; nil where they are trained themselves.
  public internal(set) var adapters: AdapterSet?
  /// The parameters that an optimizer updates: the adapters' where there are some.
  public var trained: ParameterStore { adapters?.parameters ?? self }

  private let byName: [String: Parameter]
  private let ranges: [String: Range<Int>]

  /// - Parameters:
  ///   - trains: Allocates gradients.
  ///   - packed: Names of parameters that get no place in the arena: their ``Parameter/packed`` will hold them.
  public init(
    _ specifications: [ParameterSpecification], on device: any OperationDevice, trains: Bool,
    packed: Set<String> = [],
  ) {
    precondition(!trains || packed.isEmpty, "packed parameters cannot be trained")
    self.device = device
    let dense = specifications.filter { !packed.contains($0.name) }
    let ordered = dense.filter(\.decays) + dense.filter { !$0.decays }
    let step = Memory.viewAlignment / ElementType.float32.byteCount
    var starts: [Int] = []
    var total = 0
    var decayed = 0
    for specification in ordered {
      starts.append(total)
      total += (specification.shape.count + step - 1) / step * step
      if specification.decays { decayed = total }
    }
    let values = device.allocate(total, of: .float32)
    device.zero(values)
    let gradients = trains ? device.allocate(total, of: .float32) : nil
    if let gradients { device.zero(gradients) }
    let made = zip(ordered, starts).map { specification, start in
      Parameter(
        name: specification.name, shape: specification.shape, decays: specification.decays,
        memory: values.view(from: start, count: specification.shape.count),
        gradient: gradients?.view(from: start, count: specification.shape.count))
    }
    let none = packed.isEmpty ? nil : device.allocate(1, of: .float32)
    let others = specifications.filter { packed.contains($0.name) }.compactMap { specification in
      none.map {
        Parameter(
          name: specification.name, shape: specification.shape, decays: specification.decays, memory: $0,
          gradient: nil)
      }
    }
    let byName = Dictionary((made + others).map { ($0.name, $0) }) { first, _ in first }
    parameters = specifications.compactMap { byName[$0.name] }
    self.byName = byName
    ranges = Dictionary(
      zip(ordered, starts).map { ($0.name, $1..<$1 + $0.shape.count) },
      uniquingKeysWith: { first, _ in first })
    self.values = values
    self.gradients = gradients
    decayedCount = decayed
  }

  public subscript(name: String) -> Parameter? { byName[name] }

  /// Where a parameter lies in the arenas, in elements.
  public func range(of name: String) -> Range<Int>? { ranges[name] }

  /// Number of trained values, padding left out.
  public var count: Int { parameters.reduce(0) { $0 + $1.shape.count } }

  /// Forgets the gradients: the next contribution overwrites.
  public func clearGradients() {
    for parameter in parameters { parameter.gradientIsEmpty = true }
  }

  /// Zeroes the gradients of parameters that received none, before an optimizer reads the arena.
  public func completeGradients() {
    for parameter in parameters where parameter.gradientIsEmpty {
      if let gradient = parameter.gradient { device.zero(gradient) }
    }
  }
}
