import Kernels
import NumberFormats

/// Cases of quantizations: every block format along both axes, shapes with ragged ends, rounding and transforms.
struct QuantizationSamples {
  let label: String
  let choice: QuantizationChoice
  let rows: Int
  let columns: Int
  var fill = Sample.Fill.normal(deviation: 1)

  func sample(_ operation: (Self) -> any Operation) -> Sample {
    var inputs: [Sample.Input] = [.init([rows, columns], .float32, fill)]
    // Smaller than the largest of many normal numbers: a remembered one, with which some values saturate.
    if choice.needsLargest { inputs.append(.init([1], .float32, .values([2.7]))) }
    if let rotation = choice.rotation {
      inputs.append(.init([rotation], .float32, .values(HadamardTransform.signs(size: rotation, seed: 3))))
    }
    return Sample("\(label) \(rows)x\(columns)", operation(self), inputs)
  }

  static var all: [Self] { formats + rules + searches + shapes + randomness + rotations + special }

  private static var formats: [Self] {
    FormatCatalogue.blocks.flatMap { format in
      let across = Self(label: format.name, choice: QuantizationChoice(format), rows: 5, columns: 133)
      guard format.tile != .wholeMatrix else { return [across] }
      let down = format.tiled(format.tile.transposed)
      return [
        across, Self(label: "\(format.name) down", choice: QuantizationChoice(down), rows: 133, columns: 19),
      ]
    }
  }

  private static var rules: [Self] {
    let rules = ExponentRule.allCases.flatMap { rule in
      [BlockFormat.mxfp4, .mxfp8E4M3, .mxint8].map { format in
        Self(
          label: "\(format.name) \(rule.rawValue)",
          choice: QuantizationChoice(format.scaled(.powerOfTwo(rule))), rows: 3, columns: 96)
      }
    }
    let powers = [BlockFormat.fp8Tile, .fp8Block, .fp8Tensor, .int8Group].map { format in
      Self(
        label: "\(format.name) power of two",
        choice: QuantizationChoice(format.scaled(.float32(isPowerOfTwo: true))), rows: 3, columns: 160)
    }
    return rules + powers
  }

  private static var searches: [Self] {
    let formats: [(BlockFormat, rotation: Int?)] = [
      (.mxfp4, nil), (.mxfp4, 32), (.mxint8, nil), (.nvfp4, nil), (.fp4UE5M3, nil), (.int4Group, nil),
      (.int3Group.scaled(.float32(isPowerOfTwo: true)), nil), (.fp8Tile, nil),
      (.nvfp4.tiled(Tile(rows: 16, columns: 16)), nil), (.int8Row, nil),
    ]
    return formats.flatMap { format, rotation -> [Self] in
      let choice = QuantizationChoice(format.searched, rotation: rotation)
      let across = Self(
        label: "\(format.name) \(format.tile) search", choice: choice, rows: 35,
        columns: rotation == nil ? 133 : 128)
      guard rotation == nil, format.tile.rows == 1 else { return [across] }
      let down = QuantizationChoice(format.tiled(format.tile.transposed).searched)
      return [
        across, Self(label: "\(format.name) search down", choice: down, rows: 133, columns: 35),
        Self(
          label: "\(format.name) search special", choice: choice, rows: 2, columns: 256,
          fill: .values(specialValues)),
      ]
    } + [
      Self(
        label: "mxfp4 search stochastic",
        choice: QuantizationChoice(.mxfp4.searched, randomness: RoundingBits(seed: 5)), rows: 9, columns: 70)
    ]
  }

  private static var shapes: [Self] {
    let tiles: [(Tile, Int, Int)] = [
      (Tile(rows: 16, columns: 16), 33, 50), (Tile(rows: 16, columns: 16), 64, 300),
      (Tile(rows: 128, columns: 128), 130, 257), (.alongRow(48), 3, 100), (.alongRow(7), 2, 40),
      (.wholeRow, 4, 301), (.wholeColumn, 70, 37), (.alongColumn(32), 96, 130), (.alongColumn(5), 12, 3),
      (.alongRow(32), 1, 1), (.alongRow(32), 70, 512), (.alongColumn(128), 256, 80), (.alongRow(1), 2, 5),
      (.wholeColumn, 280, 550), (Tile(rows: nil, columns: 4), 9, 10), (Tile(rows: 2, columns: nil), 5, 21),
    ]
    return tiles.map { tile, rows, columns in
      Self(
        label: "tiles \(tile)", choice: QuantizationChoice(BlockFormat.fp4UE5M3.tiled(tile)), rows: rows,
        columns: columns)
    }
  }

  private static var randomness: [Self] {
    [BlockFormat.mxfp4, .nvfp4, .mxfp8E5M2, .int4Group, .fp8Tensor, .bf16Values, .fp16Values].flatMap {
      format in
      [RoundingBits(seed: 1), RoundingBits(seed: 1, step: 7, tensor: 3)].map { bits in
        Self(
          label: "\(format.name) stochastic \(bits.first & 15)",
          choice: QuantizationChoice(format, randomness: bits), rows: 37, columns: 70)
      }
    } + [
      Self(
        label: "nvfp4 stochastic whole vectors",
        choice: QuantizationChoice(.nvfp4, randomness: RoundingBits(seed: 8)), rows: 17, columns: 512),
      Self(
        label: "mxfp4 stochastic down",
        choice: QuantizationChoice(.mxfp4.tiled(.alongColumn(32)), randomness: RoundingBits(seed: 8)),
        rows: 70, columns: 300),
      Self(
        label: "fp8 stochastic tall columns",
        choice: QuantizationChoice(.fp8Row.tiled(.wholeColumn), randomness: RoundingBits(seed: 8)),
        rows: 300, columns: 530),
    ]
  }

  private static var rotations: [Self] {
    ([16, 32, 64, 128] as [Int]).flatMap { size in
      [
        Self(
          label: "hadamard \(size)", choice: QuantizationChoice(.mxfp4, rotation: size), rows: 3, columns: 384
        ),
        Self(
          label: "hadamard \(size) down",
          choice: QuantizationChoice(.mxfp4.tiled(.alongColumn(32)), rotation: size), rows: 128,
          columns: size == 64 ? 150 : 21),
        Self(
          label: "hadamard \(size) nvfp4 stochastic",
          choice: QuantizationChoice(.nvfp4, randomness: RoundingBits(seed: 2), rotation: size), rows: 9,
          columns: 256),
      ]
    }
  }

  /// Zeros, tiny and huge blocks, saturation, and numbers that are not finite.
  private static var specialValues: [Float] {
    (0..<512).map { index -> Float in
      switch index {
      case ..<64: 0
      case 64: -0.0
      case 65..<96: 1e-30
      case 96..<128: Float(index) * 1e30
      case 128..<160: index % 2 == 0 ? 6 : -7.5
      case 200: .nan
      case 300: -.infinity
      default: Float(index % 16) * 0.25 - 2
      }
    }
  }

  private static var special: [Self] {
    FormatCatalogue.blocks.filter { $0.tile != .wholeMatrix || $0.scaling == .none }.map { format in
      Self(
        label: "\(format.name) special", choice: QuantizationChoice(format), rows: 2, columns: 256,
        fill: .values(specialValues))
    }
  }
}
