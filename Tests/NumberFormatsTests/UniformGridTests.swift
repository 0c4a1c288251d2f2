import NumberFormats
import Testing

@Suite struct UniformGridTests {
  @Test func codesAreTheNearestLevels() {
    for grid in [UniformGrid.signed(bits: 3), .unsigned(bits: 4), .midRise(bits: 2)] {
      let scale: Float = 0.37
      for step in -400...400 {
        let x = Float(step) * 0.01
        let position = grid.position(of: x, scale: scale)
        let value = grid.value(of: grid.code(at: position), scale: scale)
        let nearest = (grid.smallest...grid.largest).map { (Float($0) + grid.offset) * scale }
          .min { abs($0 - x) < abs($1 - x) }
        #expect(abs(abs(value - x) - abs((nearest ?? 0) - x)) < 1e-5)
      }
      #expect(grid.code(at: .nan).isNaN)
    }
  }

  @Test func halvesGoToEvenCodes() {
    let grid = UniformGrid.signed(bits: 4)
    #expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map { grid.code(at: $0) } == [-2, -2, 0, 0, 2, 2])
  }

  @Test func onlyThresholdsBetweenCodesCount() {
    let grid = UniformGrid.signed(bits: 2)
    let positions: [Float] = [-2.5, -1.5, -1.46, 0.52, 0.4, 1.5]
    #expect(
      positions.map { grid.isNearThreshold($0, radius: 0.05) } == [false, true, true, true, false, false])
  }

  @Test(arguments: [(2, 5), (4, 9), (8, 3), (4, 8)]) func wordsKeepCodes(bits: Int, columns: Int) {
    let codes = (0..<columns * 3).map { UInt8(($0 * 7 + 3) % (1 << bits)) }
    let words = WordOrder.pack(codes, columns: columns, bits: bits)
    #expect(words.count == 3 * WordOrder.words(columns: columns, bits: bits))
    #expect(WordOrder.unpack(words, columns: columns, bits: bits) == codes)
    #expect(words[0] & UInt32(1 << bits - 1) == UInt32(codes[0]))
  }

  @Test func learnedScalesBelongToTheForward() throws {
    func check(_ texts: [String: String]) throws {
      var formats = LinearFormats()
      for (operand, text) in texts { try formats.set(operand, to: text) }
      try formats.check()
    }
    try check([
      "fprop_input": "int8 block=tensor scale=lsq", "fprop_weight": "int4 block=64 scale=lsq",
      "dgrad_weight": "forward", "wgrad_input": "forward",
    ])
    for texts in [
      ["dgrad_weight": "int4 block=64 scale=lsq"], ["wgrad_cotangent": "int8 block=tensor scale=lsq"],
      ["fprop_input": "int8 block=64 scale=lsq"], ["fprop_input": "int8 block=row scale=statsq"],
    ] {
      #expect(throws: OperandFormat.SyntaxError.self, "\(texts)") { try check(texts) }
    }
  }
}
