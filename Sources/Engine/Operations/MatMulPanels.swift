import Kernels

/// The shape of `matmul.cl`: vectors, and blocks of k and panels of b that a work-item keeps near.
public struct MatMulPanels: Hashable, Sendable {
  /// Floats per vector: 16 (register tile 12 x 32) or 8 (6 x 16).
  public let vector: Int
  /// The largest block of k where a is read in place.
  public let depth: Int
  /// The largest block of k where a is packed.
  public let packedDepth: Int
  /// Panels of b that meet each packed tile of a.
  public let packedPanels: Int
  /// Row tiles of a that are packed side by side.
  public let packedTiles: Int
  /// From two to the power of this many multiplications on, packing a is worth while.
  public let packedLimit: Int

  /// Nil for shapes that the kernel is not written for.
  init?(
    vector: Int, depth: Int = 384, packedDepth: Int = 256, packedPanels: Int = 12, packedTiles: Int = 8,
    packedLimit: Int = 21,
  ) {
    guard vector == 8 || vector == 16, [depth, packedDepth].allSatisfy({ $0 >= 4 && $0.isMultiple(of: 4) }),
      depth <= 4096, packedDepth <= 4096, (1...64).contains(packedPanels), (1...16).contains(packedTiles),
      (0...40).contains(packedLimit)
    else { return nil }
    self.vector = vector
    self.depth = depth
    self.packedDepth = packedDepth
    self.packedPanels = packedPanels
    self.packedTiles = packedTiles
    self.packedLimit = packedLimit
  }

  private init(standardVector: Int) {
    vector = standardVector
    (depth, packedDepth, packedPanels, packedTiles, packedLimit) = (384, 256, 12, 8, 21)
  }

  /// The register tile.
  var tileRows: Int { vector == 16 ? 12 : 6 }
  var tileColumns: Int { 2 * vector }

  /// Private memory of the work-item that needs most.
  var privateByteCount: Int {
    let packed = packedDepth * (packedPanels * tileColumns + packedTiles * tileRows)
    return max(depth * tileColumns, packed) * MemoryLayout<Float>.size
  }

  /// What the stacks of drivers' threads hold without complaint.
  static let largestPrivateByteCount = 1 << 20

  var definitions: [String: String] {
    [
      "VECTOR": "\(vector)", "DEPTH": "\(depth)", "PACKED_DEPTH": "\(packedDepth)",
      "PACKED_PANELS": "\(packedPanels)", "PACKED_TILES": "\(packedTiles)",
    ]
  }

  // MARK: As a configuration

  var parameters: [String: Int] {
    [
      "vector": vector, "depth": depth, "packed_depth": packedDepth, "packed_panels": packedPanels,
      "packed_tiles": packedTiles, "packed_limit": packedLimit,
    ]
  }

  init?(parameters: [String: Int]) {
    guard let vector = parameters["vector"], let depth = parameters["depth"],
      let packedDepth = parameters["packed_depth"], let packedPanels = parameters["packed_panels"],
      let packedTiles = parameters["packed_tiles"], let packedLimit = parameters["packed_limit"],
      parameters.count == 6
    else { return nil }
    self.init(
      vector: vector, depth: depth, packedDepth: packedDepth, packedPanels: packedPanels,
      packedTiles: packedTiles, packedLimit: packedLimit)
  }

  static func standard(for device: DeviceDescription) -> MatMulPanels {
    MatMulPanels(standardVector: device.nativeFloatWidth >= 16 ? 16 : 8)
  }

  /// Depths of blocks for a read in place, shapes of packed blocks where a may be packed; the device's vectors, and
  /// the standard shape with the others.
  static func candidates(for device: DeviceDescription, problem: MatMulClass) -> [MatMulPanels] {
    let standard = standard(for: device)
    let other = MatMulPanels(standardVector: standard.vector == 16 ? 8 : 16)
    switch problem {
    case .skinnyNT, .skinnyNN: return [standard, other]
    case .smallTN, .largeTN:
      let shaped = [256, 384, 512].flatMap { depth in
        [6, 8, 12, 16].flatMap { panels in
          [4, 8].compactMap { tiles in
            MatMulPanels(
              vector: standard.vector, packedDepth: depth, packedPanels: panels, packedTiles: tiles)
          }
        }
      }
      return shaped + [other]
    case .smallNN, .largeNN, .smallNT, .largeNT:
      let shaped = [128, 192, 256, 320, 384, 512].flatMap { depth in
        [0, standard.packedLimit, 40].compactMap {
          MatMulPanels(vector: standard.vector, depth: depth, packedLimit: $0)
        }
      }
      return shaped + [other]
    }
  }
}
