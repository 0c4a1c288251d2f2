public import Kernels

/// Weights of four bits as floats: `w[i] = tables[code(i)] * scale(i / blockSize)`.
///
/// Inputs: bytes: two codes each, the first in the lower half, and behind them one byte per block; tables: what the 16 codes and
/// the 256 bytes of blocks stand for, what is added to every scale, and a factor per `blocksPerFactor` blocks. A block's
/// scale is `tables[16 + byte] * tables[273 + block / blocksPerFactor] + tables[272]`.
public struct UnpackBlocks: Operation {
  public static let name = "unpack_blocks"
  /// Where the factors begin in the tables.
  static let groupStart = 16 + 256 + 1
  static let groupSize = 256
  let rows: Int
  let columns: Int
  let blockSize: Int
  let blocksPerFactor: Int

  /// - Precondition: `blockSize` is even.
  init(rows: Int, columns: Int, blockSize: Int, blocksPerFactor: Int = groupSize) {
    precondition(blockSize > 0 && blockSize.isMultiple(of: 2), "blocks of \(blockSize)")
    (self.rows, self.columns, self.blockSize) = (rows, columns, blockSize)
    self.blocksPerFactor = blocksPerFactor
  }

  private var count: Int { rows * columns }
  private var blocks: Int { (count + blockSize - 1) / blockSize }

  /// Where the blocks' bytes begin.
  private var codeBytes: Int { (count + 1) / 2 }
  var byteCount: Int { codeBytes + blocks }
  var tableCount: Int { Self.groupStart + (blocks + blocksPerFactor - 1) / blocksPerFactor }

  public var signature: String {
    "bytes: uint8 [\(byteCount)], tables [\(tableCount)] > w [\(rows), \(columns)]"
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (bytes, tables) = (inputs[0], inputs[1])
    for index in 0..<count {
      let byte = bytes.integer(index / 2)
      let block = index / blockSize
      let factor = tables[Self.groupStart + block / blocksPerFactor]
      let scale = tables[16 + bytes.integer(codeBytes + block)] * factor + tables[272]
      outputs[0][index] = tables[index.isMultiple(of: 2) ? byte & 15 : byte >> 4] * scale
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let bytes = HostArray<UInt8>(inputs[0].memory), let tables = HostArray<Float>(inputs[1].memory),
      let w = HostArray<Float>(outputs[0].memory)
    else { return }
    let (count, blockSize, codeBytes) = (count, blockSize, codeBytes)
    let blocksPerFactor = blocksPerFactor
    device.threads.forRanges(blocks, grain: max(1, 32_768 / blockSize)) { range in
      for block in range {
        let factor = tables[Self.groupStart + block / blocksPerFactor]
        let scale = tables[16 + Int(bytes[codeBytes + block])] * factor + tables[272]
        for index in block * blockSize..<min(count, (block + 1) * blockSize) {
          let byte = Int(bytes[index / 2])
          w[index] = tables[index & 1 == 0 ? byte & 15 : byte >> 4] * scale
        }
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard count > 0 else { return }
    let lanes = device.description.lanes(atMost: 128)
    let kernel: Kernel<Buffer<UInt8>, Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32, UInt32> =
      try device.kernel("unpack_blocks", in: "unpack_blocks", ["LANES": "\(lanes)"])
    // Bytes of a processor's work-item.
    let block = lanes == 1 ? 8192 : lanes
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), UInt64(count),
      UInt32(blockSize), UInt32(blocksPerFactor), UInt32(block),
      over: .groups((codeBytes + block - 1) / block))
  }

  public static var samples: [Sample] {
    let shapes = [
      (1, 1, 64, 256), (5, 3, 2, 256), (7, 19, 32, 256), (130, 130, 64, 256), (3, 16_385, 64, 256),
      (5, 128, 64, 1),
    ]
    return shapes.map { rows, columns, blockSize, blocksPerFactor in
      let operation = UnpackBlocks(
        rows: rows, columns: columns, blockSize: blockSize, blocksPerFactor: blocksPerFactor)
      return Sample(
        "\(rows) x \(columns) blocks of \(blockSize), \(blocksPerFactor) per factor", operation,
        [.init([operation.byteCount], .uint8, .integers(0..<256)), .init([operation.tableCount])])
    }
  }
}
