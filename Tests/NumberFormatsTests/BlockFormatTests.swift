import NumberFormats
import Testing

@Suite struct BlockFormatTests {
  private func values(_ count: Int, _ deviation: Float = 1) -> [Float] {
    let bits = RoundingBits(seed: 23, tensor: UInt64(count))
    return (0..<count).map { index in
      // Sums of uniform numbers: near enough to normal, with small ones among them.
      let parts = (0..<6).map { Float(bits.bits(UInt32(6 * index + $0)) >> 8) * 0x1p-24 - 0.5 }
      return deviation * parts.reduce(0, +) * (index % 7 == 0 ? 0.01 : 1)
    }
  }

  @Test(arguments: FormatCatalogue.blocks)
  func codesAndScalesGiveTheValues(format: BlockFormat) {
    let (rows, columns) = (20, 37)
    let matrix = format.quantize(values(rows * columns), rows: rows, columns: columns)
    #expect(format.decode(matrix) == matrix.values)
    let again = format.quantize(matrix.values, rows: rows, columns: columns)
    if case .float(let element) = format.element, element.topCodes != .none { return }
    // What is on the grid stays, unless the maximum was saturated and the scale follows it.
    if case .powerOfTwo = format.scaling { #expect(again.values == matrix.values) }
  }

  @Test(arguments: FormatCatalogue.blocks)
  func aNumberThatIsNotFiniteSpoilsItsBlockOnly(format: BlockFormat) {
    var input = values(256)
    input[3] = .nan
    let small = format.tile == .wholeMatrix || format.tile.rows != 1 || format.tensorTarget != nil
    let matrix = format.quantize(input, rows: 1, columns: 256)
    #expect(matrix.values[3].isNaN)
    if !small, let width = format.tile.columns {
      #expect(matrix.values[..<width].allSatisfy(\.isNaN) && !matrix.values[width...].contains { $0.isNaN })
    }
  }

  @Test func tilesOfTheTransposedMatrixAreTheTransposedTiles() {
    let (rows, columns) = (24, 40)
    let input = values(rows * columns)
    let transposed = (0..<columns).flatMap { column in (0..<rows).map { input[$0 * columns + column] } }
    for format in FormatCatalogue.blocks {
      let one = format.quantize(input, rows: rows, columns: columns).values
      let other = format.tiled(format.tile.transposed).quantize(transposed, rows: columns, columns: rows)
      #expect((0..<rows * columns).allSatisfy { other.values[$0 % columns * rows + $0 / columns] == one[$0] })
    }
  }

  @Test func exponentRulesAtTheirEdges() {
    func exponent(_ rule: ExponentRule, _ largest: Float) -> Int {
      rule.exponent(of: largest.bitPattern, for: .float(.fp4E2M1))
    }
    #expect(exponent(.floor, 7.99) == 0 && exponent(.floor, 8) == 1)
    #expect(exponent(.ceil, 4) == 0 && exponent(.ceil, 4.001) == 1)
    #expect(exponent(.rceil, 6) == 0 && exponent(.rceil, Float(6).nextUp) == 1)
    #expect(exponent(.even, Float(7).nextDown) == 0 && exponent(.even, 7) == 1)
    #expect(exponent(.floor, 0) == -127 && exponent(.floor, .greatestFiniteMagnitude) == 125)
  }

  @Test(arguments: [
    BlockFormat.mxfp4, .mxint8, .nvfp4, .fp4UE5M3, .int4Group, .fp8Tile,
    .int3Group.scaled(.float32(isPowerOfTwo: true)),
  ])
  func searchedScalesAreNeverWorse(format: BlockFormat) {
    func squares(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
      zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    }
    let (rows, width) = (40, format.tile.columns ?? 1)
    let input = values(rows * width)
    let plain = format.quantize(input, rows: rows, columns: width).values
    let searched = format.searched.quantize(input, rows: rows, columns: width).values
    var better = 0
    for row in 0..<rows {
      let block = row * width..<(row + 1) * width
      let (before, after) = (squares(plain[block], input[block]), squares(searched[block], input[block]))
      // Errors are compared with some ten binary digits.
      #expect(after <= before * 1.01)
      if after < before * 0.99 { better += 1 }
    }
    #expect(better > 4)
  }

  @Test func theScaleWithTheLeastErrorIsFound() {
    // Under 4 -> 4 everything is exact; the largest magnitude's own scale, 4 -> 6, cannot hold 2.
    let input: [Float] = [4, 2, -3, 1] + [Float](repeating: 0, count: 12)
    let format = BlockFormat.nvfp4SingleLevel
    #expect(format.quantize(input, rows: 1, columns: 16).values != input)
    #expect(format.searched.quantize(input, rows: 1, columns: 16).values == input)
    // Saturating 6.5 costs less than halving the steps of all others.
    let crowd = [Float(6.5)] + (0..<31).map { Float($0 % 3) * 0.5 + 0.5 }
    #expect(BlockFormat.mxfp4.scaled(.powerOfTwo(.ceil)).quantize(crowd, rows: 1, columns: 32).scales == [2])
    #expect(BlockFormat.mxfp4.searched.quantize(crowd, rows: 1, columns: 32).scales == [1])
  }

  @Test func groupsWithAZeroPointKeepTheirEnds() {
    let input: [Float] = [0.5, 1, 1.5, 2, -1, 0, 1, 2]
    let included = AffineGroups(input, rows: 2, columns: 4, bits: 4, groupSize: nil, span: .zeroIncluded)
    #expect(included.zeros == [0, 5] && included.codes[3] == 15 && included.codes[4] == 0)
    #expect(zip(included.values, input).allSatisfy { abs($0 - $1) <= included.scales[0] })
    let plain = AffineGroups(input, rows: 2, columns: 4, bits: 4, groupSize: 4, span: .minimumToMaximum)
    #expect(plain.scales[0] == 0.1 && plain.zeros[0] == 0 && plain.codes[3] == 15)
  }

  @Test func delayedScalesRememberAndSkip() {
    var scaling = DelayedScaling(limit: 448, length: 2)
    scaling.update(largest: 4)
    #expect(scaling.scale == 112)
    scaling.update(largest: .nan)
    #expect(scaling.scale == 112)
    scaling.update(largest: 2)
    scaling.update(largest: 0)
    #expect(scaling.scale == 224 && scaling.largest == 2)
    var other = DelayedScaling(limit: 448, length: 2)
    other.restore(history: scaling.history, largest: scaling.largest)
    #expect(other == scaling)
  }

  @Test func packedCodesComeBack() {
    let codes = (0..<64).map { UInt8($0) }
    for order in SixBitOrder.allCases { #expect(order.unpack(order.pack(codes)) == codes) }
    #expect(SixBitPlanes(codes).codes == codes)
    let nibbles = codes.map { $0 & 15 }.dropLast()
    for order in NibbleOrder.allCases {
      #expect(order.unpack(order.pack(Array(nibbles)), count: 63) == Array(nibbles))
    }
  }

  @Test func codebooksTakeTheNearestAndTheSmallerOfTwo() {
    for codebook in [Codebook.nf4, .fp4BitsAndBytes, .dynamicMap] {
      for (code, value) in codebook.values.enumerated() where value != 0 {
        #expect(codebook.encode(value) == UInt8(code))
      }
    }
    #expect(Codebook.dynamicMap.values.count == 256 && Set(Codebook.dynamicMap.values).count == 256)
    let book = Codebook(name: "test", values: [1, -1, 0])
    #expect(book.encode(0.5) == 2 && book.encode(Float(0.5).nextUp) == 0 && book.encode(-0.5) == 1)
    #expect(CodebookBlocks([0, 0, 0], codebook: .nf4, blockSize: 2).values == [0, 0, 0])
  }
}
