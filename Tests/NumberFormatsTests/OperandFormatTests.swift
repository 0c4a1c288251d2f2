import NumberFormats
import Testing

@Suite struct OperandFormatTests {
  @Test(arguments: FormatCatalogue.blocks)
  func everyBlockFormatIsWrittenAndReadBack(format: BlockFormat) throws {
    let hasRows = format.tile.rows == 1 && format.tile.columns != nil
    let operand = try OperandFormat(
      parsing: format.name + " rounding=stochastic" + (hasRows ? " hadamard=32" : ""))
    let again = try OperandFormat(parsing: operand.description)
    #expect(again.description == operand.description)
    // The name is of the catalogue or of the element; everything else is the same.
    var named = again
    named.block.name = operand.block.name
    #expect(named == operand)
  }

  @Test func choicesChangeAFormat() throws {
    let operand = try OperandFormat(parsing: "mxfp4 block=16 scale=ue4m3 tensor=448 rounding=stochastic")
    var expected = BlockFormat.nvfp4
    expected.name = "mxfp4"
    #expect(operand == OperandFormat(expected, isStochastic: true))
    #expect(
      try OperandFormat(parsing: "fp8_e4m3fn block=128x128").block.tile == Tile(rows: 128, columns: 128))
    #expect(try OperandFormat(parsing: "int8 block=row").block.tile == .wholeRow)
    #expect(try OperandFormat(parsing: "mxfp4 rule=even").block.scaling == .powerOfTwo(.even))
    #expect(try OperandFormat(parsing: "mxfp4 rule=search").block == BlockFormat.mxfp4.searched)
    #expect(try OperandFormat(parsing: "nvfp4 rule=search").description.hasSuffix("rule=search tensor=448.0"))
    #expect(try OperandFormat(parsing: "nvfp4 rule=search rule=maximum").block == .nvfp4)
    #expect(
      try OperandFormat(parsing: "fp8_tensor scaling=delayed margin=1").maximum
        == .delayed(history: 1024, margin: 1))
    #expect(try OperandFormat(parsing: "nvfp4 refresh=50").maximum == .refreshed(steps: 50))
    #expect(try OperandFormat(parsing: "nvfp4 refresh=50 refresh=none").maximum == .current)
    #expect(try OperandFormat(parsing: "mxfp4 estimator=full").estimator == .full)
    let all = "fp8_tensor scaling=delayed history=7 margin=-2 rounding=stochastic estimator=clipped"
    let words = try OperandFormat(parsing: all).description
    #expect(words.hasSuffix(all.dropFirst("fp8_tensor ".count)))
    #expect(try OperandFormat(parsing: words).description == words)
  }

  @Test(arguments: [
    "", "mxfp5", "mxfp4 16", "mxfp4 block=0", "mxfp4 block=1x2x3", "mxfp4 scale=fp8_e4m3fn", "mxfp4 rule=up",
    "fp8_tensor rule=floor", "mxfp4 tensor=448", "nvfp4 tensor=-1", "mxfp4 rounding=up", "mxfp4 hadamard=24",
    "mxfp4 hadamard=256", "mxfp4 size=3", "ue4m3", "fp8_tensor hadamard=32", "fp8_block hadamard=128",
    "mxfp4 block=24 hadamard=16", "bf16 block=32", "nvfp4 block=tensor",
    "mxfp4 scale=lsq", "int4 block=16x16 scale=lsq", "int4 block=64 scale=statsq rounding=stochastic",
    "int4_restricted block=64 scale=lsq", "int4 block=64 scale=lsq hadamard=64",
    "int4 block=64 scale=lsq rule=search", "int8 scale=lsq scaling=delayed",
    "int4 scale=lsq estimator=clipped",
    "mxfp4 scaling=delayed", "fp8_tensor scaling=late", "fp8_tensor history=3", "fp8_tensor margin=1",
    "fp8_tensor scaling=delayed history=0", "fp8_tensor scaling=delayed refresh=5", "mxfp4 refresh=50",
    "nvfp4 refresh=0", "mxfp4 estimator=up", "bf16 estimator=clipped", "mxfp4 hadamard=32 estimator=clipped",
    "fp8_tensor estimator=full", "fp8_tensor rule=search", "bf16 rule=search", "mxfp4 rule=maximum",
  ])
  func textsThatAreNoFormatAreRefusedWithAHint(text: String) {
    #expect {
      try OperandFormat(parsing: text)
    } throws: {
      ($0 as? OperandFormat.SyntaxError)?.hint.isEmpty == false
    }
  }

  @Test func choicesReachEveryRoundedOperandOrOne() throws {
    var formats = LinearFormats()
    try formats.set("fprop_weight", to: "int4 block=64")
    try formats.set("dgrad_weight", to: "forward")
    try formats.set("wgrad_cotangent", to: "mxfp8_e5m2")
    try formats.apply("block=16")
    try formats.apply("fprop_weight.rounding=stochastic")
    #expect(formats.fpropWeight?.block.tile == .alongRow(16) && formats.fpropWeight?.isStochastic == true)
    #expect(formats.wgradCotangent?.block.tile == .alongRow(16))
    #expect(formats.wgradCotangent?.isStochastic == false)
    #expect(formats.dgradWeight == .forward && formats.fpropInput == nil)
    try formats.apply("estimator=clipped")
    #expect(
      formats.fpropWeight?.estimator == .clipped && formats.wgradCotangent?.estimator == .straightThrough)
    try formats.check()
    try formats.apply("wgrad_cotangent.estimator=clipped")
    #expect(throws: OperandFormat.SyntaxError.self) { try formats.check() }
    for choice in ["fprop_input.block=16", "nothing.block=16", "dgrad_weight.block=16"] {
      #expect(throws: OperandFormat.SyntaxError.self) { try formats.apply(choice) }
    }
    #expect(throws: OperandFormat.SyntaxError.self) { try formats.set("fprop_input", to: "forward") }
  }

  @Test func operandsAreReadBackFromTheirTexts() throws {
    var formats = LinearFormats()
    try formats.set("fprop_input", to: "nvfp4 hadamard=16")
    try formats.set("wgrad_input", to: "mxfp6_e2m3")
    var again = LinearFormats()
    for (operand, text) in formats.texts { try again.set(operand, to: text) }
    #expect(again.texts.map(\.text) == formats.texts.map(\.text))
    #expect(LinearFormats().isFull && !again.isFull)
  }
}
