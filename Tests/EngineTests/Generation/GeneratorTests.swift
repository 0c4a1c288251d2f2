import Engine
import Kernels
import Testing

@Suite(.serialized, .exclusiveDevices) struct GeneratorTests {
  private func continuation(
    _ model: any LanguageModel, _ options: SamplingOptions, prompt: [Int32], count: Int, softcap: Double = 0,
  ) throws -> [Int32] {
    let generator = Generator(model, options: options, capacity: prompt.count + count, softcap: softcap)
    try generator.read(prompt)
    var result = [generator.next()]
    while result.count < count {
      try generator.read([result[result.count - 1]])
      result.append(generator.next())
    }
    #expect(generator.count == prompt.count + count - 1 && generator.capacity == prompt.count + count)
    return result
  }

  @Test(arguments: TinyModel.allCases)
  func greedyContinuationFollowsTheFullForward(kind: TinyModel) throws {
    let prompt = TinyTokens.ids(5)
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let got = try continuation(model, SamplingOptions(temperature: 0), prompt: prompt, count: 12)
      var ids = prompt
      for _ in 0..<12 {
        let last = try #require(try model.logits([ids]).last)
        ids.append(Int32(try #require(last.indices.max { last[$0] < last[$1] })))
      }
      #expect(got == Array(ids[5...]), "\(device.description.name)")
    }
  }

  @Test func theSameSeedContinuesTheSame() throws {
    for device in try TestDevices.all() {
      let model = try TinyModel.llama.make(on: device)
      let runs = try [1, 1, 2].map { seed in
        try continuation(
          model, SamplingOptions(temperature: 2, seed: seed), prompt: [3], count: 20)
      }
      #expect(runs[0] == runs[1] && runs[0] != runs[2])
      let lazy = try continuation(model, SamplingOptions(temperature: 2, seed: 1), prompt: [3], count: 9)
      #expect(lazy == Array(runs[0][..<9]))
    }
  }

  /// A small cap makes all logits nearly equal, so that sampling turns uniform and greedy does not change.
  @Test func theSoftCapIsApplied() throws {
    let model = try TinyModel.llama.make(on: DeviceCatalog.openForOperations("cpu"))
    func run(_ temperature: Double, _ softcap: Double) throws -> [Int32] {
      try continuation(
        model, SamplingOptions(temperature: temperature, seed: 3), prompt: [3], count: 20, softcap: softcap)
    }
    #expect(try run(0, 0) == run(0, 5))
    #expect(try run(0.3, 0) != run(0.3, 0.01))
  }

  /// A full cache keeps the younger half: the model sees that alone, from position 0.
  @Test(arguments: [TinyModel.llama, .gpt2])
  func aFullCacheForgetsTheOlderHalf(kind: TinyModel) throws {
    let ids = TinyTokens.ids(14)
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let generator = Generator(model, options: SamplingOptions(temperature: 0), capacity: 8)
      try generator.read(Array(ids[..<6]))
      var seen = Array(ids[..<6])
      for id in ids[6...] {
        seen = seen.count < 8 ? seen + [id] : Array((seen + [id]).suffix(4))
        try generator.read([id])
        let last = try #require(try model.logits([seen]).last)
        #expect(generator.next() == Int32(try #require(last.indices.max { last[$0] < last[$1] })))
      }
      #expect(generator.count == 14 && generator.forgotten == 14 - seen.count && generator.forgotten > 0)
    }
  }

  @Test func readingMoreThanTheCapacityAtOnceIsAProgrammingError() async {
    await #expect(processExitsWith: .failure) {
      let model = try TinyModel.llama.make(on: DeviceCatalog.openForOperations("cpu"))
      let generator = Generator(model, options: SamplingOptions(), capacity: 4)
      try generator.read([1, 2, 3, 4, 5])
    }
  }

  /// The test above fails for its reason only: what fits is read in such a process as well.
  @Test func readingWhatFitsIsNone() async {
    await #expect(processExitsWith: .success) {
      let model = try TinyModel.llama.make(on: DeviceCatalog.openForOperations("cpu"))
      let generator = Generator(model, options: SamplingOptions(), capacity: 4)
      try generator.read([1, 2, 3, 4])
    }
  }
}
