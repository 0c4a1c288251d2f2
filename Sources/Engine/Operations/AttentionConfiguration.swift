public import Kernels

/// Sizes of the forward kernels of ``Attention``; problems are classes of head widths, `d32` to `d256`.
///
/// Processors: `rows`, `keys`, `vector` (a block in the cache, floats per vector). Graphics processors: `rows`, `columns`, `group`, `lanes`, `depth`,
/// `held` (a tile in local memory).
public struct AttentionForwardConfiguration: KernelConfiguration {
  public static let family = "attention_forward"
  let shape: AttentionShape

  init(_ shape: AttentionShape) { self.shape = shape }

  public init?(parameters: [String: Int]) {
    guard let shape = AttentionShape(parameters) else { return nil }
    if case .keys = shape { return nil }
    self.shape = shape
  }

  public var parameters: [String: Int] { shape.parameters }

  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    let width = AttentionShape.width(of: problem)
    guard device.kernelStyle == .graphics else {
      return Self(.block(.forward(width: width, vector: AttentionBlock.vector(of: device))))
    }
    let wanted =
      width <= 128
      ? AttentionTile(rows: 32, columns: 32, group: 64, lanes: 8, depth: min(width, 64), held: width)
      : AttentionTile(rows: 16, columns: 32, group: 64, lanes: 16, held: width)
    return Self(.tile(wanted.reduced(for: device, operands: 1)))
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    let width = AttentionShape.width(of: problem)
    guard device.kernelStyle == .graphics else {
      return AttentionBlock.forwardCandidates(width: width, vector: AttentionBlock.vector(of: device))
        .map { Self(.block($0)) }
    }
    return AttentionTile.candidates(width: width, outputs: 1).map { Self(.tile($0)) }
  }

  public func fits(_ device: DeviceDescription) -> Bool { shape.fits(device, operands: 1) }
}

/// Sizes of the gradient's kernels of ``Attention``; parameters and problems as in ``AttentionForwardConfiguration``.
public struct AttentionBackwardConfiguration: KernelConfiguration {
  public static let family = "attention_backward"
  let shape: AttentionShape

  init(_ shape: AttentionShape) { self.shape = shape }

  public init?(parameters: [String: Int]) {
    guard let shape = AttentionShape(parameters) else { return nil }
    if case .keys = shape { return nil }
    self.shape = shape
  }

  public var parameters: [String: Int] { shape.parameters }

  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    let width = AttentionShape.width(of: problem)
    guard device.kernelStyle == .graphics else {
      return Self(.block(.backward(width: width, vector: AttentionBlock.vector(of: device))))
    }
    let lanes = width <= 64 ? 8 : width <= 128 ? 16 : 32
    let group = width <= 64 ? 64 : 128
    let wanted = AttentionTile(
      rows: 4 * group / lanes, columns: 32, group: group, lanes: lanes, held: width <= 64 ? width : 0)
    return Self(.tile(wanted.reduced(for: device, operands: 2)))
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    let width = AttentionShape.width(of: problem)
    guard device.kernelStyle == .graphics else {
      return AttentionBlock.backwardCandidates(width: width, vector: AttentionBlock.vector(of: device))
        .map { Self(.block($0)) }
    }
    return AttentionTile.candidates(width: width, outputs: 2).map { Self(.tile($0)) }
  }

  public func fits(_ device: DeviceDescription) -> Bool { shape.fits(device, operands: 2) }
}

/// Sizes of the kernels for a few query rows against many keys; problems as in ``AttentionForwardConfiguration``.
///
/// Processors: `keys`. Graphics processors: a tile, whose rows are held.
public struct AttentionDecodeConfiguration: KernelConfiguration {
  public static let family = "attention_decode"
  let shape: AttentionShape

  init(_ shape: AttentionShape) { self.shape = shape }

  public init?(parameters: [String: Int]) {
    guard let shape = AttentionShape(parameters) else { return nil }
    if case .block = shape { return nil }
    self.shape = shape
  }

  public var parameters: [String: Int] { shape.parameters }

  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    guard device.kernelStyle == .graphics else { return Self(.keys(64)) }
    let wanted = AttentionTile(
      rows: 8, columns: 32, group: 64, lanes: 16, held: AttentionShape.width(of: problem))
    return Self(.tile(wanted.reduced(for: device, operands: 1, keepingHeld: true)))
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    guard device.kernelStyle == .graphics else {
      return [16, 24, 32, 48, 64, 96, 128, 256].map { Self(.keys($0)) }
    }
    let held = AttentionShape.width(of: problem)
    return [(4, 32, 16), (8, 32, 16), (8, 32, 32), (16, 64, 16), (4, 128, 32), (8, 128, 16), (16, 128, 16)]
      .flatMap { rows, group, lanes in
        [32, 64].map {
          AttentionTile(rows: rows, columns: $0, group: group, lanes: lanes, depth: 64, held: held)
        }
      }
      .filter(\.isValid).map { Self(.tile($0)) }
  }

  public func fits(_ device: DeviceDescription) -> Bool { shape.fits(device, operands: 1) }
}

extension AttentionShape {
  fileprivate func fits(_ device: DeviceDescription, operands: Int) -> Bool {
    guard case .tile(let tile) = self else { return device.kernelStyle == .processor }
    return tile.fits(device, operands: operands)
  }
}

extension AttentionTile {
  /// Shapes worth trying for a width, `outputs` output tensors being accumulated at once.
  fileprivate static func candidates(width: Int, outputs: Int) -> [AttentionTile] {
    let groups = [
      (32, 64, 8), (16, 64, 16), (32, 128, 16), (64, 128, 8), (16, 128, 32), (64, 256, 16),
    ]
    let tiles = groups.flatMap { rows, group, lanes in
      [(32, 0), (32, width), (64, width)].map { columns, held in
        AttentionTile(
          rows: rows, columns: columns, group: group, lanes: lanes, depth: held > 0 ? min(width, 64) : 32,
          held: held)
      }
    }
    return tiles.filter {
      $0.isValid && $0.accumulatorsPerItem(width: width, outputs: outputs) <= 128
    }
  }

  /// This tile, or the nearest smaller one that a device has room for.
  ///
  /// What is given up, in this order: held rows, depth, items, columns and rows.
  fileprivate func reduced(
    for device: DeviceDescription, operands: Int, keepingHeld: Bool = false,
  ) -> AttentionTile {
    var tile = self
    while tile.group > max(4, device.largestWorkGroup) {
      tile.group /= 2
      tile.rows = max(tile.rows / 2, 1)
    }
    while tile.lanes > tile.group { tile.lanes /= 2 }
    tile.rows = max(tile.rows, tile.group / tile.lanes)
    if !keepingHeld && !tile.fits(device, operands: operands) { tile.held = 0 }
    while !tile.fits(device, operands: operands), tile.depth > 16 { tile.depth /= 2 }
    while !tile.fits(device, operands: operands), tile.columns > tile.lanes { tile.columns /= 2 }
    while !tile.fits(device, operands: operands), tile.rows > tile.group / tile.lanes { tile.rows /= 2 }
    return tile
  }
}
