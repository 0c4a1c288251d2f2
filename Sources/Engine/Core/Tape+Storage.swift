import Kernels

/// What a tape keeps of a tensor that a backward needs.
enum TensorStorage {
  /// The floats themselves.
  case floats
  /// They are BF16 values, but nobody packed them.
  case rounded
  /// The same values in two bytes each.
  case packed(Memory)
}

extension Tensor {
  /// The tensor as a tape keeps it: packed where it can be.
  var kept: Tensor {
    guard case .packed(let memory) = storage else { return detached }
    return Tensor(memory, shape: shape)
  }
}

extension Tape {
  /// Rounds an operation's activations in place, so that whoever reads them sees what will be kept of them.
  ///
  /// The same values with recomputation, without it and in evaluation.
  func storeActivations(of operation: some Operation, _ outputs: [Tensor]) -> [Tensor] {
    guard let operation = operation as? any DifferentiableOperation else { return outputs }
    let activations = operation.activations
    // Whoever observes is told of the operation, with its results as they are kept.
    let known = observer
    observer = nil
    defer { observer = known }
    return outputs.enumerated().map { index, output in
      guard activations.contains(index), output.type.element == .float32 else { return output }
      let results = apply(RoundToBFloat16(packs: isRecording), [output], into: [0: output])
      return Tensor(
        type: output.type, memory: output.memory, variable: output.variable,
        storage: isRecording ? .packed(results[1].memory) : .rounded)
    }
  }

  /// Runs what a few bits would spoil, such as the logarithms of decays: its results are kept as floats.
  func inSinglePrecision<Result>(_ body: () -> Result) -> Result {
    let stores = storesBFloat16
    storesBFloat16 = false
    defer { storesBFloat16 = stores }
    return body()
  }

  /// A rounded tensor with its two bytes a value beside it.
  func packed(_ tensor: Tensor) -> Tensor {
    guard case .rounded = tensor.storage else { return tensor }
    let packed = apply(PackBFloat16(), [tensor.detached])[0]
    return Tensor(
      type: tensor.type, memory: tensor.memory, variable: tensor.variable, storage: .packed(packed.memory))
  }

  /// A parameter's floats; of one that is stored in two bytes they live only as long as somebody reads them.
  func value(of parameter: Parameter) -> Tensor {
    guard parameter.memory.element == .bfloat16 else { return parameter.value }
    let x = apply(WidenBFloat16(), [Tensor(parameter.memory, shape: parameter.shape)])[0]
    return Tensor(type: x.type, memory: x.memory, storage: .packed(parameter.memory))
  }

  /// The floats of a tensor as it was kept.
  func floats(_ kept: Tensor) -> Tensor {
    guard kept.type.element == .bfloat16 else { return kept }
    if let known = widened.find(kept.memory) { return known.reshaped(to: kept.shape) }
    let x = apply(WidenBFloat16(), [kept])[0]
    let tensor = Tensor(type: x.type, memory: x.memory, storage: .packed(kept.memory))
    widened.add(tensor, of: kept.memory)
    return tensor
  }
}

/// Tensors that the backward made floats again.
///
/// Entries that follow each other often read the same one (queries, keys and values their input): what the last entry
/// read is kept for the next.
struct WidenedTensors {
  private var current: [(packed: Memory, floats: Tensor)] = []
  private var last: [(packed: Memory, floats: Tensor)] = []

  mutating func beginEntry() {
    last = current
    current = []
  }

  mutating func add(_ tensor: Tensor, of packed: Memory) { current.append((packed, tensor)) }

  mutating func find(_ packed: Memory) -> Tensor? {
    if let known = current.first(where: { $0.packed === packed }) { return known.floats }
    guard let known = last.first(where: { $0.packed === packed }) else { return nil }
    current.append(known)
    return known.floats
  }
}
