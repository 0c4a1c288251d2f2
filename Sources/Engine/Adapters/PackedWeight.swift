import Kernels
import NumberFormats

/// How the frozen weights below adapters are stored.
public enum PackedFormat: String, Sendable, CaseIterable {
  /// Codes of NormalFloat, blocks of 64; their scales are 8 bits in groups of 256 (double quantization, QLoRA).
  case nf4
  /// Symmetric integers from -7 to 7, blocks and scales as of ``nf4``.
  case int4
  /// E2M1 in blocks of 32 along rows, scaled by a power of two (OCP microscaling).
  case mxfp4

  var blockSize: Int { self == .mxfp4 ? 32 : 64 }
}

/// A frozen weight of four bits a number, on its device.
struct PackedWeight {
  let unpacking: UnpackBlocks
  /// Operands of ``UnpackBlocks``.
  let operands: [Tensor]

  /// Bytes that the device holds for it.
  var byteCount: Int { operands.reduce(0) { $0 + Memory.blockByteCount(for: $1.memory.byteCount) } }

  /// Quantizes on the host.
  ///
  /// - Parameter shape: Of two axes; of ``PackedFormat/mxfp4`` the second is a multiple of 32.
  init(_ values: [Float], shape: Shape, format: PackedFormat, on device: any OperationDevice) {
    let blocks = Self.blocks(values, shape, format)
    self.init(
      UnpackBlocks(rows: shape[0], columns: shape[1], blockSize: format.blockSize),
      bytes: NibbleOrder.lowFirst.pack(blocks.codes) + blocks.scales, tables: blocks.tables + blocks.groups,
      on: device)
  }

  /// - Parameters: The operands of `unpacking`.
  init(_ unpacking: UnpackBlocks, bytes: [UInt8], tables: [Float], on device: any OperationDevice) {
    self.unpacking = unpacking
    operands = [
      Tensor(bytes, shape: [bytes.count], on: device), Tensor(tables, shape: [tables.count], on: device),
    ]
  }

  /// Memory without values, for plans.
  init(shape: Shape, format: PackedFormat, on device: any OperationDevice) {
    unpacking = UnpackBlocks(rows: shape[0], columns: shape[1], blockSize: format.blockSize)
    operands = [
      Tensor(device.allocate(unpacking.byteCount, of: .uint8), shape: [unpacking.byteCount]),
      Tensor(device.allocate(unpacking.tableCount, of: .float32), shape: [unpacking.tableCount]),
    ]
  }

  /// The values that a weight has once it is packed.
  static func rounded(_ values: [Float], shape: Shape, format: PackedFormat) -> [Float] {
    let blocks = blocks(values, shape, format)
    return blocks.codes.indices.map { index in
      let block = index / format.blockSize
      let scale =
        blocks.tables[16 + Int(blocks.scales[block])] * blocks.groups[block / UnpackBlocks.groupSize]
        + blocks.tables[272]
      return blocks.tables[Int(blocks.codes[index])] * scale
    }
  }

  // MARK: Quantizing

  private struct Blocks {
    /// One per number.
    let codes: [UInt8]
    /// One per block.
    let scales: [UInt8]
    let groups: [Float]
    let tables: [Float]
  }

  private static func blocks(_ values: [Float], _ shape: Shape, _ format: PackedFormat) -> Blocks {
    switch format {
    case .nf4: codebookBlocks(values, .nf4)
    case .int4: codebookBlocks(values, symmetricIntegers)
    case .mxfp4: microscalingBlocks(values, shape)
    }
  }

  /// Sevenths, by codes of two's complement; -8 stands for a value that no number is nearest to.
  private static let symmetricIntegers = Codebook(
    name: "int4", values: (0..<16).map { Float($0 < 8 ? $0 : $0 - 16) / 7 })

  private static func codebookBlocks(_ values: [Float], _ codebook: Codebook) -> Blocks {
    let blocks = CodebookBlocks(values, codebook: codebook, blockSize: PackedFormat.nf4.blockSize)
    let scales = DoubleQuantizedScales(blocks.scales)
    return Blocks(
      codes: blocks.codes, scales: scales.blocks.codes, groups: scales.blocks.scales,
      tables: codebook.values + scales.blocks.codebook.values + [scales.offset])
  }

  private static func microscalingBlocks(_ values: [Float], _ shape: Shape) -> Blocks {
    let matrix = BlockFormat.mxfp4.quantize(values, rows: shape[0], columns: shape[1])
    let groups = (matrix.scales.count + UnpackBlocks.groupSize - 1) / UnpackBlocks.groupSize
    // The code of NaN is never used: the weights are finite.
    let powers = (0..<256).map { $0 == 255 ? 0 : ExponentScale.decode(UInt8($0)) }
    return Blocks(
      codes: matrix.codes.map { UInt8($0) },
      scales: matrix.scales.map { ExponentScale.encode($0, .floor) },
      groups: [Float](repeating: 1, count: groups),
      tables: (0..<16).map { FloatFormat.fp4E2M1.decode($0) } + powers + [0])
  }
}

/// The product of a linear layer whose weight is packed: `y = x w^T + bias`.
///
/// Inputs: x [m, k], the weight as floats, which live as long as the product, and the packed operands, from which the backward
/// makes them again. The weight has no gradient.
struct PackedLinear: DifferentiableOperation {
  static let name = "packed_linear"
  let unpacking: UnpackBlocks
  /// The weight is stored [k, n].
  let weightIsTransposed: Bool
  let hasBias: Bool

  private var product: MatMul { MatMul(transposeB: !weightIsTransposed, hasBias: hasBias) }

  /// Inputs of the product among ours.
  private func operands<Operand>(_ inputs: [Operand]) -> [Operand] {
    Array(inputs[..<2]) + (hasBias ? [inputs[4]] : [])
  }

  var signature: String {
    let weight = weightIsTransposed ? "[k, n]" : "[n, k]"
    return
      "x [m, k], weight \(weight), bytes: uint8 [bytes], tables [tables]\(hasBias ? ", bias [n]" : "") > y [m, n]"
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    product.reference(operands(inputs), &outputs)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try product.run(on: device, operands(inputs), outputs)
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try product.run(on: device, operands(inputs), outputs)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    product.cost(operands(inputs), outputs)
  }

  var saved: SavedTensors { SavedTensors(inputs: [2, 3]) }

  func backward(_ context: GradientContext) {
    guard let dy = context.cotangent(0), context.needs(0) else { return }
    let weight = context.tape.apply(unpacking, [context.input(2), context.input(3)])[0]
    context.add(MatMul(transposeB: weightIsTransposed), [dy, weight], to: 0)
  }

  static var samples: [Sample] { [] }
}

extension Tape {
  /// ``linear(_:weight:bias:activation:weightIsTransposed:)`` with a packed weight; the bias is frozen, too.
  func packedLinear(_ x: Tensor, _ weight: PackedWeight, bias: Tensor?, weightIsTransposed: Bool) -> Tensor {
    let rows = x.reshaped(to: [x.shape.rows, x.shape.last])
    let unpacked = apply(weight.unpacking, weight.operands)[0]
    let operation = PackedLinear(
      unpacking: weight.unpacking, weightIsTransposed: weightIsTransposed, hasBias: bias != nil)
    let y = apply(operation, [rows, unpacked] + weight.operands + (bias.map { [$0] } ?? []))[0]
    return y.reshaped(to: Shape(x.shape.dimensions.dropLast() + [y.shape.last]))
  }
}
