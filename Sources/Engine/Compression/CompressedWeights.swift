import Files
import Kernels
import NumberFormats

/// The weights of a folder that are whole numbers (``CompressedTensors``).
struct CompressedWeights {
  private let compression: CompressedTensors
  private let tensors: ShardedTensors
  private let layouts: [String: LinearLayout]
  private let inputs: [String: Int]
  private let path: String
  /// The compressed weights, by their names in a model.
  let names: Set<String>

  init(
    _ compression: CompressedTensors, _ configuration: ModelConfiguration,
    _ architecture: any Architecture.Type, in tensors: ShardedTensors, path: String,
    on device: any OperationDevice,
  ) throws {
    // Linear layers mark their weights, so a model without values tells how they lie.
    let planned = PlanningDevice(for: device.description)
    let store = ParameterStore(architecture.parameters(of: configuration), on: planned, trains: false)
    _ = try architecture.makeModel(configuration, store)
    let linear = store.parameters.filter { $0.linearLayout != nil }
    layouts = Dictionary(linear.map { ($0.name, $0.linearLayout ?? .outIn) }) { first, _ in first }
    inputs = Dictionary(linear.map { ($0.name, $0.linearExtents.input) }) { first, _ in first }
    names = Set(layouts.keys.filter { tensors.contains(CompressedTensors.packed($0)) })
    (self.compression, self.tensors, self.path) = (compression, tensors, path)
  }

  /// Tensors of a file that hold a compressed weight.
  func places(of name: String) -> [String] {
    [CompressedTensors.packed(name), CompressedTensors.scale(name), CompressedTensors.shape(name)]
  }

  /// Those that can stay four bits a number on a device: whole groups, in which two codes of a byte share a scale.
  var packable: Set<String> {
    guard compression.bits == 4 else { return [] }
    return names.filter { name in
      guard layouts[name] == .outIn, let input = inputs[name] else { return false }
      let size = compression.groupSize ?? input
      return size.isMultiple(of: 2) && input.isMultiple(of: size)
    }
  }

  /// A weight's numbers as a model has them.
  func values(_ name: String, shape: Shape) throws -> [Float] {
    let weight = try weight(name, shape: shape)
    return layouts[name] == .inOut ? weight.transposedValues : weight.values
  }

  /// - Parameter shape: The model's.
  func weight(_ name: String, shape: Shape) throws -> IntegerWeight {
    let (out, input) = layouts[name] == .inOut ? (shape[1], shape[0]) : (shape[0], shape[1])
    let bits = compression.bits
    let groupSize = compression.groupSize ?? input
    let words = WordOrder.words(columns: input, bits: bits)
    let groups = (input + groupSize - 1) / groupSize
    for (tensor, expected) in [
      (CompressedTensors.packed(name), [out, words]), (CompressedTensors.scale(name), [out, groups]),
    ] {
      let found = try tensors.entry(tensor).shape
      guard found == expected else {
        throw ModelError.wrongShape(name: tensor, expected: expected, found: found, path: path)
      }
    }
    let stated = try tensors.integers(CompressedTensors.shape(name)).map { Int($0) }
    guard stated == [out, input] else {
      throw ModelError.wrongShape(
        name: CompressedTensors.shape(name), expected: [out, input], found: stated, path: path)
    }
    let packed = try tensors.integers(CompressedTensors.packed(name)).map { UInt32(bitPattern: $0) }
    let codes = WordOrder.unpack(packed, columns: input, bits: bits).map { Int8(Int($0) - 1 << (bits - 1)) }
    let scales = try tensors.floats(CompressedTensors.scale(name))
    guard scales.allSatisfy(\.isFinite) else {
      throw ModelError.badValue(
        key: CompressedTensors.scale(name), value: "not finite", expected: "finite scales", path: path)
    }
    return IntegerWeight(
      out: out, input: input, bits: bits, groupSize: groupSize, codes: codes, scales: scales)
  }
}

extension PackedWeight {
  /// Whole numbers of four bits, each group with a float for its scale.
  init(_ weight: IntegerWeight, on device: any OperationDevice) {
    let codes = weight.codes.map { UInt8(bitPattern: $0) & 15 }
    let bytes = NibbleOrder.lowFirst.pack(codes) + [UInt8](repeating: 0, count: weight.scales.count)
    let values = (0..<16).map { Float($0 < 8 ? $0 : $0 - 16) }
    // A block's byte stands for 1: its scale is its factor.
    let tables = values + [Float](repeating: 1, count: 256) + [0] + weight.scales
    self.init(
      UnpackBlocks(
        rows: weight.out, columns: weight.input, blockSize: weight.groupSize, blocksPerFactor: 1),
      bytes: bytes, tables: tables, on: device)
  }
}
