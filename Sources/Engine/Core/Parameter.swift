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
  /// Floats, or BF16 values where weights are stored in two bytes.
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

  /// The value of a parameter that is stored as floats; ``Tape/parameter(_:)`` reads any.
  public var value: Tensor {
    precondition(memory.element == .float32, "\(name) is stored as \(memory.element.rawValue)")
    return Tensor(memory, shape: shape)
  }

  /// Waits for the device and returns the values, whatever they are stored as.
  public func floats(on device: any Device) throws -> [Float] {
    guard memory.element == .bfloat16 else { return try device.read(memory, as: Float.self) }
    return try device.read(memory, as: BFloat16.self).map(\.float)
  }

  /// Sets the values, rounded to nearest where they are stored in fewer bits.
  func write(_ values: [Float], on device: any Device) {
    guard memory.element == .bfloat16 else { return device.write(values, to: memory) }
    device.write(values.map { BFloat16($0) }, to: memory)
  }
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
  /// All values, the decayed parameters first; where those are stored in two bytes the others alone.
  ///
  /// Padding between parameters is zero.
  public let values: Memory
  /// The decayed parameters where they are stored in two bytes, else nil.
  let packedValues: Memory?
  /// All gradients in the same layout; nil when not trained.
  public let gradients: Memory?
  /// Elements `0..<decayedCount` of the arenas are decayed.
  public let decayedCount: Int
  /// The first `largeCount` of those belong to parameters of ``largeSize`` elements or more.
  let largeCount: Int
  static let largeSize = 4096
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
  ///   - weights: How decayed parameters are stored.
  public init(
    _ specifications: [ParameterSpecification], on device: any OperationDevice, trains: Bool,
    packed: Set<String> = [], weights: NumberStorage.Format = .fp32,
  ) {
    precondition(!trains || packed.isEmpty, "packed parameters cannot be trained")
    self.device = device
    let layout = ArenaLayout(specifications.filter { !packed.contains($0.name) }, weights)
    // Elements of the arenas that lie in `packedValues`.
    let inBytes = weights == .bf16 ? layout.decayedCount : 0
    let values = device.allocate(layout.count - inBytes, of: .float32)
    device.zero(values)
    let packedValues = inBytes > 0 ? device.allocate(inBytes, of: .bfloat16) : nil
    if let packedValues { device.zero(packedValues) }
    let gradients = trains ? device.allocate(layout.count, of: .float32) : nil
    if let gradients { device.zero(gradients) }
    let made = zip(layout.ordered, layout.starts).map { specification, start in
      let count = specification.shape.count
      return Parameter(
        name: specification.name, shape: specification.shape, decays: specification.decays,
        memory: start < inBytes
          ? packedValues?.view(from: start, count: count) ?? values
          : values.view(from: start - inBytes, count: count),
        gradient: gradients?.view(from: start, count: count))
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
      zip(layout.ordered, layout.starts).map { ($0.name, $1..<$1 + $0.shape.count) },
      uniquingKeysWith: { first, _ in first })
    self.values = values
    self.packedValues = packedValues
    self.gradients = gradients
    decayedCount = layout.decayedCount
    largeCount = layout.largeCount
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

/// Where parameters lie in arenas.
private struct ArenaLayout {
  /// The decayed ones first, large ones before small ones.
  let ordered: [ParameterSpecification]
  /// First elements, in the order of ``ordered``.
  private(set) var starts: [Int] = []
  private(set) var count = 0
  private(set) var decayedCount = 0
  private(set) var largeCount = 0

  init(_ specifications: [ParameterSpecification], _ weights: NumberStorage.Format) {
    let isLarge = { (specification: ParameterSpecification) in
      specification.decays && specification.shape.count >= ParameterStore.largeSize
    }
    ordered =
      specifications.filter(isLarge) + specifications.filter { $0.decays && !isLarge($0) }
      + specifications.filter { !$0.decays }
    // Views begin at whole pages in every arena, that of the fewest bytes included.
    let element = weights == .bf16 ? ElementType.bfloat16 : .float32
    let step = Memory.viewAlignment / element.byteCount
    for specification in ordered {
      starts.append(count)
      count += (specification.shape.count + step - 1) / step * step
      if isLarge(specification) { largeCount = count }
      if specification.decays { decayedCount = count }
    }
  }
}
