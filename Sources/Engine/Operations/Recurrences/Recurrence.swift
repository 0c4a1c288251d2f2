import Kernels

/// A recurrence over matrix states, with what is not its own mathematics: operands, gradients, references and launches.
///
/// `S_t [k, v]` follows from `S_{t-1}` and the token's operands, `o_t = scale S_t^T q_t` with the first operand as q.
/// A conforming type says what it reads, how a token changes the state, what its gradients are and which kernels do it.
protocol Recurrence: DifferentiableOperation {
  var options: RecurrenceOptions { get }
  /// The inputs in front of the optional ones.
  var operands: [RecurrenceOperand] { get }
  /// The last operand where its gradient takes a pass of its own, which is left out when nobody wants it.
  var optionalGradient: Int? { get }
  /// How often a token's definition meets every element of the state with a multiply-add.
  static var statePasses: (forward: Double, backward: Double) { get }

  /// The state behind a token from the one in front of it; rows of ``RecurrenceToken/valueWidth`` values.
  func advance<Scalar: ReferenceScalar>(_ state: inout [Scalar], by token: RecurrenceToken<Scalar>)

  /// The gradients of a token.
  ///
  /// - Parameters:
  ///   - gradient: That of the state behind the token, which becomes that of the state in front of it.
  ///   - state: The state in front of the token.
  ///   - results: Rows like the token's, to which the operands' gradients are added; the query's is in them.
  func retreat<Scalar: ReferenceScalar>(
    _ gradient: inout [Scalar], from token: RecurrenceToken<Scalar>, behind state: [Scalar],
    into results: inout [[Scalar]])

  static var kernels: RecurrenceKernels { get }
  /// The launches for graphics processors; nil where the kernels that walk chunks run there, too.
  var tiled: (any TiledRecurrence)? { get }
  /// Operands that the kernels have: those that this operation lacks are null.
  static var kernelOperands: Int { get }
  /// Integers of the kernels behind the sizes.
  var kernelFlags: [Int] { get }
  static func scratch(_ extents: ChunkExtents) -> RecurrenceScratch
  /// Multiply-adds per token and head of what the kernels really do, chunk by chunk.
  static func chunkPasses(_ extents: ChunkExtents) -> (forward: Double, backward: Double)
}

extension Recurrence {
  var optionalGradient: Int? { nil }
  var kernelFlags: [Int] { [] }
  var tiled: (any TiledRecurrence)? { nil }

  /// Gates below this count as this, without a gradient: e^-20 is below the resolution of 1.
  static func leastGate<Scalar: ReferenceScalar>() -> Scalar { -20 }

  /// The factor of a natural logarithm.
  static func decay<Scalar: ReferenceScalar>(_ gate: Scalar) -> Scalar { .exp(max(gate, leastGate())) }
}

extension Recurrence {
  var inputText: String { operands.map(\.text).joined(separator: ", ") + options.operands }

  public var signature: String {
    inputText + " > output [batch, time, heads, v], final_state [batch, heads, k, v]"
  }

  private var valuePosition: Int {
    guard let position = operands.firstIndex(where: { $0.extent == .value }) else {
      preconditionFailure("a recurrence without values")
    }
    return position
  }

  func extents(_ shapes: [Shape]) -> RecurrenceExtents {
    RecurrenceExtents(query: shapes[0], value: shapes[valuePosition])
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try extents(inputs.map(\.shape)).validate(operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(
      flops: Self.statePasses.forward * extents(inputs.map(\.shape)).flopsPerStatePass,
      moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<operands.count + options.extraCount)) }

  public func backward(_ context: GradientContext) {
    let final = context.cotangent(1)
    guard context.cotangent(0) != nil || final != nil else { return }
    let inputs = (0..<operands.count + options.extraCount).map { context.input($0) }
    let gradient = RecurrenceGradient(
      self, hasFinalCotangent: final != nil,
      needsOptional: optionalGradient.map { context.needs($0) } ?? true)
    let size = extents(inputs.map(\.shape))
    let results = context.tape.apply(
      gradient, inputs + [context.cotangentOrZero(0)] + (final.map { [$0] } ?? []))
    for (position, result) in zip(gradient.positions, results) {
      add(result, of: position, size, to: context)
    }
    if options.hasInitialState, let last = results.last { context.add(last, to: operands.count) }
  }

  /// Adds up what comes per head or token where the operand is shared.
  private func add(
    _ gradient: Tensor, of position: Int, _ size: RecurrenceExtents, to context: GradientContext
  ) {
    guard context.needs(position) else { return }
    switch operands[position].extent {
    case .sharedRow where size.heads > size.keyHeads:
      let parts = gradient.reshaped(
        to: [size.batch * size.time * size.keyHeads, size.heads / size.keyHeads, size.width])
      let sum = context.tape.apply(SumParts(), [parts])[0]
      context.add(sum.reshaped(to: context.inputType(position).shape), to: position)
    case .perHead:
      context.add(
        SumRows(), [gradient.reshaped(to: [size.batch * size.time, size.heads])], to: position)
    default: context.add(gradient, to: position)
    }
  }
}
