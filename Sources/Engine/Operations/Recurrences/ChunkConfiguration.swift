import CHost
public import Kernels

/// How the kernels of the linear mixers walk their chunks (`kernels/chunk.cl`).
public struct ChunkConfiguration: KernelConfiguration {
  public static let family = "chunk"
  /// Floats per vector: 16, 8 or 4.
  public let vector: Int
  /// Tokens per chunk.
  public let chunk: Int

  init(vector: Int, chunk: Int = 64) {
    self.vector = vector
    self.chunk = chunk
  }

  public var parameters: [String: Int] { ["vector": vector, "chunk": chunk] }

  public init?(parameters: [String: Int]) {
    guard parameters.count == 2, let vector = parameters["vector"], let chunk = parameters["chunk"],
      [4, 8, 16].contains(vector), (16...256).contains(chunk), chunk.isMultiple(of: 2 * vector)
    else { return nil }
    self.init(vector: vector, chunk: chunk)
  }

  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    Self(vector: device.kernelStyle == .graphics ? 4 : device.nativeFloatWidth >= 16 ? 16 : 8)
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    [4, 8, 16].flatMap { vector in [32, 64, 128].map { Self(vector: vector, chunk: $0) } }
  }

  public func fits(_ device: DeviceDescription) -> Bool { true }

  /// What the host's own kernels are compiled for.
  static var host: Self { Self(vector: Int(nibble_mixer_vector())) }

  var definitions: [String: String] { ["VECTOR": "\(vector)", "CHUNK": "\(chunk)"] }

  /// Sequences up to this length go through the kernels that walk token by token.
  static let longestStep = 8

  /// A width padded to whole vectors.
  func padded(_ width: Int) -> Int { (width + vector - 1) / vector * vector }

  func chunks(_ time: Int) -> Int { (time + chunk - 1) / chunk }

  /// Tokens per block of the kernels with a gate per channel (`BLOCK` in `kernels/blocks.cl`).
  static let block = 16

  var blocksPerChunk: Int { (chunk + Self.block - 1) / Self.block }

  /// Neighbouring heads that one work-item walks together: as many as leave every compute unit its share of groups and
  /// keep the states in the second-level cache.
  ///
  /// The result of a head does not depend on it.
  func groupHeads(_ size: RecurrenceExtents, units: Int) -> Int {
    let stateBytes = padded(size.width) * padded(size.valueWidth) * MemoryLayout<Float>.size
    let most = max(1, (256 << 10) / stateBytes)
    return (1...size.heads).last { count in
      guard size.heads.isMultiple(of: count), count <= most else { return false }
      let groups = size.batch * (size.heads / count)
      return groups >= 4 * units || (groups >= units && groups.isMultiple(of: units))
    } ?? 1
  }
}
