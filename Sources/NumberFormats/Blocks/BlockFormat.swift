/// Elements in blocks with a common scale.
public struct BlockFormat: Sendable, Hashable {
  public var name: String
  public var element: ElementFormat
  public var tile: Tile
  public var scaling: BlockScaling
  /// The scale that the block with the tensor's largest magnitude gets, where there is a scale per tensor as well.
  public var tensorTarget: Float?
  /// Of several scales near the one that the largest magnitude gives each block takes the one with the least squared
  /// error; see ``ScaleSearch``.
  public var isSearched: Bool

  public init(
    name: String, element: ElementFormat, tile: Tile, scaling: BlockScaling, tensorTarget: Float? = nil,
    isSearched: Bool = false,
  ) {
    self.name = name
    self.element = element
    self.tile = tile
    self.scaling = scaling
    self.tensorTarget = tensorTarget
    self.isSearched = isSearched
  }

  /// The same with other tiles.
  public func tiled(_ tile: Tile) -> BlockFormat {
    var copy = self
    copy.tile = tile
    return copy
  }

  /// The same with searched scales.
  public var searched: BlockFormat {
    var copy = self
    copy.isSearched = true
    return copy
  }

  /// The same with other scales.
  public func scaled(_ scaling: BlockScaling) -> BlockFormat {
    var copy = self
    copy.scaling = scaling
    return copy
  }

  /// Bits per element, scales included; the tensor's own scale is not counted.
  public func bitsPerElement(rows: Int, columns: Int) -> Double {
    guard rows > 0, columns > 0 else { return 0 }
    let tiles = tile.grid(rows: rows, columns: columns)
    let scales = Double(tiles.rows * tiles.columns * scaling.bitCount)
    return Double(element.bitCount) + scales / Double(rows * columns)
  }

  /// The tensor's scale from its largest magnitude; nil for formats without one.
  public func tensorScale(largest: Float) -> TensorScale? {
    tensorTarget.map { TensorScale(largest: largest, target: $0, divisor: element.scaleDivisor) }
  }

  /// Encode scales are held below this: the reciprocal of larger ones is subnormal.
  public static let largestEncodeScale: Float = 0x1p126

  /// The scale of a block.
  ///
  /// - Parameters:
  ///   - magnitude: The bits of the block's largest magnitude.
  ///   - tensor: What ``tensorScale(largest:)`` gave.
  ///   - step: Which neighbour of that scale; see ``ScaleSearch/steps``.
  public func scale(of magnitude: UInt32, tensor: TensorScale? = nil, step: Int = 0) -> BlockScale {
    if scaling == .none { return .one }
    // Devices may take subnormal floats for zero, so they are zero everywhere.
    let magnitude = magnitude < 0x80_0000 ? 0 : magnitude
    let largest = Float(bitPattern: magnitude)
    guard largest.isFinite, tensor?.decode.isFinite ?? true else { return .notANumber }
    switch scaling {
    case .none: return .one
    case .powerOfTwo(let rule):
      let exponent = min(max(rule.exponent(of: magnitude, for: element) + step, -127), 127)
      let decode = Float(sign: .plus, exponent: exponent, significand: 1)
      return BlockScale(
        encode: Float(sign: .plus, exponent: -exponent, significand: 1), decode: decode, stored: decode)
    case .float32(let isPowerOfTwo):
      guard largest > 0 else { return .one }
      let wanted =
        isPowerOfTwo ? largest : min(largest * (1 + Float(step) / 8), .greatestFiniteMagnitude)
      var encode = min(element.scaleDivisor / wanted, Self.largestEncodeScale)
      if isPowerOfTwo {
        encode = Float(bitPattern: encode.bitPattern & 0xFF80_0000)
        if step != 0 {
          let field = min(max(Int(encode.bitPattern >> 23) - step, 1), 253)
          encode = Float(bitPattern: UInt32(field) << 23)
        }
      }
      return BlockScale(encode: encode, decode: 1 / encode, stored: 1 / encode)
    case .float(let format, let zeroIsOne):
      var stored = format.round(tensor.map { largest * $0.encode } ?? largest / element.scaleDivisor)
      if step != 0 {
        let code = min(max(Int(format.encode(stored)) + step, 0), Int(format.largestCode))
        stored = format.decode(UInt32(code))
      }
      let meant = stored == 0 && zeroIsOne ? 1 : stored
      let decode = tensor.map { meant * $0.decode } ?? meant
      let encode = decode == 0 ? 0 : min(1 / decode, Self.largestEncodeScale)
      return BlockScale(encode: encode, decode: decode, stored: stored)
    }
  }
}
