/// Numbers in blocks, each divided by its largest magnitude and stored as places of a codebook (bitsandbytes).
public struct CodebookBlocks: Sendable {
  public let codebook: Codebook
  public let blockSize: Int
  /// One per number; the last block may be short.
  public let codes: [UInt8]
  /// The largest magnitude of each block.
  public let scales: [Float]

  /// - Parameter values: A flattened tensor.
  public init(_ values: [Float], codebook: Codebook, blockSize: Int) {
    precondition(blockSize > 0)
    var codes: [UInt8] = []
    var scales: [Float] = []
    codes.reserveCapacity(values.count)
    for start in stride(from: 0, to: values.count, by: blockSize) {
      let block = values[start..<min(values.count, start + blockSize)]
      let largest = Array(block).largestMagnitude
      let factor = 1 / max(largest, 1e-38)
      scales.append(largest)
      codes += block.map { codebook.encode(min(1, max(-1, $0 * factor))) }
    }
    self.init(codebook: codebook, blockSize: blockSize, codes: codes, scales: scales)
  }

  public init(codebook: Codebook, blockSize: Int, codes: [UInt8], scales: [Float]) {
    self.codebook = codebook
    self.blockSize = blockSize
    self.codes = codes
    self.scales = scales
  }

  public var values: [Float] {
    codes.indices.map { codebook.decode(codes[$0]) * scales[$0 / blockSize] }
  }
}

/// Scales of blocks that are quantized themselves: 8 bits each, less their mean, in blocks of 256.
public struct DoubleQuantizedScales: Sendable {
  public static let blockSize = 256
  /// The mean of all scales.
  public let offset: Float
  public let blocks: CodebookBlocks

  public init(offset: Float, blocks: CodebookBlocks) {
    self.offset = offset
    self.blocks = blocks
  }

  public init(_ scales: [Float]) {
    let mean = scales.isEmpty ? 0 : Float(scales.reduce(0.0) { $0 + Double($1) } / Double(scales.count))
    offset = mean
    blocks = CodebookBlocks(scales.map { $0 - mean }, codebook: .dynamicMap, blockSize: Self.blockSize)
  }

  public var values: [Float] { blocks.values.map { $0 + offset } }
}
