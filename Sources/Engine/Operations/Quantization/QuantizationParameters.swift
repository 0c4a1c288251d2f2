import NumberFormats

/// A block format as the sixteen numbers that `kernels/quantize.cl` reads.
struct QuantizationParameters {
  let words: SIMD16<UInt32>

  /// - Parameter tileCount: Elements of a whole tile.
  init(_ format: BlockFormat, randomness: RoundingBits?, rotation: Int, tileCount: Int) {
    let element = format.element
    let (positive, negative) = element.ends
    var words = SIMD16<UInt32>(repeating: 0)
    words[0] = element.grid.mantissaBits
    words[1] = element.grid.lowestExponent
    words[2] = positive.bitPattern
    words[3] = negative.bitPattern - positive.bitPattern
    words[7] = element.scaleDivisor.bitPattern
    words[8] = (format.tensorTarget ?? 0).bitPattern
    switch format.scaling {
    case .none: words[4] = 0
    case .powerOfTwo(let rule):
      words[4] = 1
      words[5] = rule.addend(for: element)
      words[6] = UInt32(bitPattern: Int32(element.largestExponent))
    case .float32(let isPowerOfTwo): words[4] = isPowerOfTwo ? 3 : 2
    case .float(let scale, let zeroIsOne):
      words[4] = zeroIsOne ? 5 : 4
      words[9] = scale.grid.mantissaBits | scale.grid.lowestExponent << 8
      words[10] = scale.largest.bitPattern
    }
    words[11] = randomness?.first ?? 0
    words[12] = randomness?.second ?? 0
    let search = format.isSearched ? ScaleSearch.fractionBits(count: tileCount) : 0
    words[13] = (randomness == nil ? 0 : 1) | search << 8
    if case .float(let float) = element { words[14] = float.magnitudeBits }
    words[15] = UInt32(rotation)
    self.words = words
  }

  var array: [UInt32] { words.indices.map { words[$0] } }
}
