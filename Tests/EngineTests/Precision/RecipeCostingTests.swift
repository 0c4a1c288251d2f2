import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Modelled costs of the tiny models, whose layers are counted by hand: 16 tokens at once, two layers.
@Suite(.serialized, .exclusiveDevices) struct RecipeCostingTests {
  private func cost(_ kind: TinyModel, _ precision: LinearPrecision?, recomputes: Bool = false) throws
    -> RecipeCost
  {
    var configuration = kind.configuration()
    configuration.precision = precision
    var options = TinyRun.options(steps: 8)
    options.recomputesLayers = recomputes
    let device = try DeviceCatalog.openForOperations("cpu").description
    return try #require(try TrainingPlanner.recipeCost(configuration, options: options, device: device))
  }

  private func mxfp4() throws -> LinearFormats {
    var formats = LinearFormats()
    for operand in LinearFormats.operands { try formats.set(operand, to: "mxfp4") }
    return formats
  }

  // Llama: weights 1296 numbers a layer, dy 96 x 16, x 60 x 16, as queries, keys and values have one, gate and up, too.
  // GPT-2: weights 1664, dy 100 x 16, x 68 x 16. Every number is rounded twice, with 3 operations each time.
  @Test(
    arguments: [(TinyModel.llama, 1296 + 96 * 16 + 60 * 16), (.gpt2, 1664 + 100 * 16 + 68 * 16)],
    [false, true])
  func everyNumberIsRoundedForEachOfItsProducts(model: (kind: TinyModel, numbers: Int), recomputes: Bool)
    throws
  {
    let found = try cost(model.kind, LinearPrecision(try mxfp4()), recomputes: recomputes)
    #expect(abs(found.operations - Double(2 * 2 * 3 * model.numbers) / 16) < 1e-9)
    #expect(found.operandBytes < found.baselineBytes / 2)
  }

  @Test func whatIsLeftOutCostsWhatBF16Does() throws {
    let formats = try mxfp4()
    let (all, none) = (try cost(.llama, LinearPrecision(formats)), try cost(.llama, nil))
    #expect(none.operations == 0 && none.relativeTime == 1 && none.bytes == none.baselineBytes)
    #expect(abs(none.flops - all.flops) < 1e-9)
    // One of two layers, the last two of eight steps.
    let half = try cost(.llama, LinearPrecision(formats, fullLast: 1))
    #expect(
      abs(half.operations - all.operations / 2) < 1e-9 && half.bytes > (all.bytes + none.bytes) / 2 - 1e-9)
    let steps = try cost(.llama, LinearPrecision(formats, fullFrom: 6))
    #expect(abs(steps.operations - 0.75 * all.operations) < 1e-9)
    #expect(abs(steps.time - 0.75 * all.time - 0.25 * none.time) < 1e-9 * steps.time)
    let part = try cost(.llama, LinearPrecision(formats, exclude: ["mlp"]))
    #expect(part.operations > 0 && part.operations < all.operations)
  }
}
