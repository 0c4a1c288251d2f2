import Engine
import Kernels
import Testing

/// What a decoder promises about positions, sequences and documents.
@Suite(.serialized, .exclusiveDevices) struct ModelForwardTests {
  @Test(arguments: TinyModel.allCases)
  func sequencesOfABatchAreIndependent(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let sequences = (0..<3).map { TinyTokens.ids(9, seed: UInt64($0)) }
      let together = try model.logits(sequences)
      let alone = try sequences.flatMap { try model.logits([$0]) }
      #expect(largestDifference(together, alone) < 1e-5, "\(device.description.name)")
    }
  }

  @Test(arguments: TinyModel.allCases)
  func laterTokensDoNotChangeEarlierLogits(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let ids = TinyTokens.ids(11)
      let before = try model.logits([ids])
      for position in [1, 6, 10] {
        var changed = ids
        changed[position] = (ids[position] + 1) % Int32(TinyModel.vocabularySize)
        let after = try model.logits([changed])
        #expect(after[..<position] == before[..<position], "\(device.description.name)")
        #expect(largestDifference([after[position]], [before[position]]) > 1e-3)
      }
    }
  }

  /// With a window of 4 in both layers, position p hears of p - 6 and not of p - 7.
  @Test func theReceptiveFieldIsTheWindowsOfAllLayers() throws {
    for device in try TestDevices.all() {
      let model = try TinyModel.mistralWindow.make(on: device)
      let ids = TinyTokens.ids(16)
      var changed = ids
      changed[3] = (ids[3] + 1) % Int32(TinyModel.vocabularySize)
      let (before, after) = (try model.logits([ids]), try model.logits([changed]))
      #expect(largestDifference([before[9]], [after[9]]) > 1e-6)
      #expect(before[10...] == after[10...])
    }
  }

  /// Rotation depends on differences of positions only, so a document may stand anywhere; GPT-2's positions do not.
  @Test(arguments: [TinyModel.llama, .qwen3, .mistralWindow])
  func documentsDoNotSeeEachOther(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let (first, second) = (TinyTokens.ids(5, seed: 1), TinyTokens.ids(7, seed: 2))
      let packed = try model.logits(
        [first + second], documents: [[Int32](repeating: 0, count: 5) + [Int32](repeating: 1, count: 7)])
      let apart = try model.logits([first]) + model.logits([second])
      #expect(largestDifference(packed, apart) < 1e-4, "\(device.description.name)")
    }
  }

  @Test func changingADocumentDoesNotChangeTheNextOfGPT2() throws {
    for device in try TestDevices.all() {
      let model = try TinyModel.gpt2.make(on: device)
      let documents = [(0..<10).map { Int32($0 < 4 ? 0 : 1) }]
      let ids = TinyTokens.ids(10)
      var changed = ids
      changed[2] = (ids[2] + 1) % Int32(TinyModel.vocabularySize)
      let before = try model.logits([ids], documents: documents)
      let after = try model.logits([changed], documents: documents)
      #expect(before[4...] == after[4...])
      #expect(before[2] != after[2])
    }
  }

  /// Repeating the weights of a key head for each of its query heads makes full heads of grouped ones.
  @Test func groupedHeadsEqualRepeatedHeads() throws {
    for device in try TestDevices.all() {
      let grouped = try TinyModel.llama.make(on: device)
      var configuration = TinyModel.llama.configuration()
      configuration.keyValueHeads = configuration.heads
      let full = try ModelInitialization.make(configuration, seed: 1, on: device, trains: false)
      let head = configuration.headDimension * configuration.modelDimension
      for parameter in full.parameters.parameters {
        var values = try device.read(#require(grouped.parameters[parameter.name]).memory, as: Float.self)
        if parameter.name.contains("k_proj") || parameter.name.contains("v_proj") {
          values = (0..<configuration.heads).flatMap { Array(values[$0 / 2 * head..<($0 / 2 + 1) * head]) }
        }
        device.write(values, to: parameter.memory)
      }
      let ids = [TinyTokens.ids(12)]
      #expect(try largestDifference(full.logits(ids), grouped.logits(ids)) < 1e-5)
    }
  }

  @Test(arguments: TinyModel.allCases)
  func devicesAgreeWithDoublePrecision(kind: TinyModel) throws {
    let ids = [TinyTokens.ids(13), TinyTokens.ids(13, seed: 4)]
    let truth = try kind.make(on: ReferenceDevice<Double>()).logits(ids)
    for device in try TestDevices.all() {
      #expect(
        try largestDifference(kind.make(on: device).logits(ids), truth) < 2e-5, "\(device.description.name)")
    }
  }
}
