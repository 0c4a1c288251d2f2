import NumberFormats
import Testing

/// Costs of a layer of 64 tokens, 32 inputs and 16 outputs, worked out by hand: x has 2048 numbers, w 512, dy 1024.
@Suite struct LinearCostTests {
  private func formats(_ texts: [String: String]) throws -> LinearFormats {
    var formats = LinearFormats()
    for (operand, text) in texts { try formats.set(operand, to: text) }
    return formats
  }

  private func all(_ text: String) throws -> LinearFormats {
    try formats(Dictionary(uniqueKeysWithValues: LinearFormats.operands.map { ($0, text) }))
  }

  private func cost(_ formats: LinearFormats, sharesInput: Bool = false) -> LinearCost {
    LinearCost(tokens: 64, inputs: 32, outputs: 16, formats: formats, sharesInput: sharesInput)
  }

  @Test func singlePrecisionCostsWhatBF16Does() {
    let total = cost(LinearFormats()).total()
    #expect(total.operations == 0 && total.roundingBytes == 0)
    // Every tensor is an operand of two products, at 2 bytes.
    #expect(total.bytes == 14336 && total.baselineBytes == 14336)
    #expect(total.relativeTime == 1 && total.relativeBytes == 1)
    #expect(total.flops == 3 * 65536)
  }

  @Test func blocksAreCountedAlongTheSums() throws {
    let cost = cost(try all("mxfp4"))
    // 4 bits a number and a byte a block: x 64 blocks for y and 64 for dw; w 16 and (over 16 outputs) 32; dy 64 and 32.
    #expect(cost.operands.map(\.bytes) == [1088, 272, 576, 288, 544, 1088])
    let total = cost.total(on: HardwareBalance(flopsPerOperation: 1, flopsPerByte: 0))
    #expect(total.operandBytes == 3856)
    // A maximum, a product and a rounding for each of 2 x 3584 numbers.
    #expect(total.operations == 21504)
    // BF16 is read once, codes are written once.
    #expect(total.roundingBytes == 2 * 7168 + 3856)
    // Four times the rate of BF16.
    #expect(total.time == 3 * 65536 / 4 + 21504 && total.baselineTime == 3 * 65536)
  }

  @Test func squareBlocksServeBothProducts() throws {
    let recipe = try formats([
      "fprop_input": "nvfp4", "fprop_weight": "nvfp4 block=16x16",
      "dgrad_cotangent": "nvfp4 rounding=stochastic", "dgrad_weight": "nvfp4 block=16x16",
      "wgrad_cotangent": "nvfp4 rounding=stochastic hadamard=16", "wgrad_input": "nvfp4 hadamard=16",
    ])
    let operands = cost(recipe).operands
    #expect(operands.map(\.isReused) == [false, false, false, true, false, false])
    #expect(operands[3].operations == 0 && operands[3].roundingBytes == 0)
    // Two blocks of 16 x 16 with a byte each, and the tensor's scale.
    #expect(operands[3].bytes == 256 + 2 + 4)
    let cotangent = operands[4]
    #expect(cotangent.maxima == 2048 && cotangent.scaling == 1024 && cotangent.rounding == 1024)
    #expect(cotangent.randomBits == 1024 && cotangent.transform == 5 * 1024)
    // The tensor's maximum reads it once more: 2 x 2 bytes a number, then 4.5 bits a number and 4 bytes are written.
    #expect(cotangent.bytes == 580 && cotangent.roundingBytes == 4096 + 580)
  }

  @Test func oneScalePerTensorIsRoundedOnceAndReadTwice() throws {
    let operands = cost(try all("fp8_tensor")).operands
    #expect(operands.map(\.isReused) == [false, false, false, true, true, true])
    #expect(operands[0].bytes == 2048 + 4 && operands[0].roundingBytes == 4 * 2048 + 2052)
    let random = cost(try all("fp8_tensor rounding=stochastic")).operands
    #expect(random.allSatisfy { !$0.isReused })
  }

  @Test func forwardAndSharedOperandsAreNotMadeAgain() throws {
    let forward = try formats([
      "fprop_input": "mxfp4", "fprop_weight": "mxfp4", "dgrad_weight": "forward", "wgrad_input": "forward",
    ])
    let operands = cost(forward).operands
    #expect(operands.map(\.operations) == [3 * 2048, 3 * 512, 0, 0, 0, 0])
    #expect(operands.map(\.bits) == [4, 4, 16, 4, 16, 4])
    let shared = cost(try all("mxfp4"), sharesInput: true).operands
    #expect(shared[0].operations == 0 && shared[5].operations == 0 && shared[0].bytes == 1088)
  }

  @Test func sixBitsGoAtTheRateOfEightAndValuesWithoutScalesNeedNone() throws {
    let free = HardwareBalance(flopsPerOperation: 0, flopsPerByte: 0)
    func speed(_ text: String) throws -> Double { 1 / cost(try all(text)).total(on: free).relativeTime }
    #expect(try speed("mxfp6_e2m3") == 2 && speed("mxfp8_e4m3") == 2 && speed("int4_group") == 4)
    let learned = cost(try formats(["fprop_weight": "int4 block=32 scale=lsq"])).operands[1]
    #expect(learned.maxima == 0 && learned.scaling == 512 && learned.rounding == 512)
    let plain = cost(try all("bf16")).operands[0]
    #expect(plain.maxima == 0 && plain.scaling == 0 && plain.rounding == 2048)
  }
}
