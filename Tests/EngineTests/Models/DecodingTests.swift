import Kernels
import Testing

@testable import Engine

/// Cached decoding against the full forward.
@Suite(.serialized, .exclusiveDevices) struct DecodingTests {
  /// Chunk lengths that sum to 23 tokens: one by one, a prompt and single tokens, uneven chunks, all at once.
  static let chunkings: [[Int]] = [
    [Int](repeating: 1, count: 23), [9] + [Int](repeating: 1, count: 14), [1, 2, 3, 7, 1, 9], [16, 7], [23],
  ]

  /// 23 tokens go well beyond the window of 4.
  @Test(arguments: TinyModel.allCases)
  func everyChunkingEqualsTheFullForward(kind: TinyModel) throws {
    let ids = TinyTokens.ids(23)
    for device in try TestDevices.all() {
      let model = try kind.make(on: device)
      let expected = try model.logits([ids])
      for chunks in Self.chunkings {
        let cache = DecodingCache(for: model.configuration, capacity: 23, on: device)
        var rows: [[Float]] = []
        for count in chunks {
          let start = cache.count
          rows += try model.logits([Array(ids[start..<start + count])], cache: cache)
          cache.advance(by: count)
        }
        #expect(
          largestDifference(rows, expected) < 1e-4, "\(kind) on \(device.description.name) in \(chunks)")
      }
    }
  }

  /// What an earlier sequence left in the memory beyond `count` is not seen.
  @Test func aLargerCapacityChangesNothing() throws {
    let ids = TinyTokens.ids(9)
    for device in try TestDevices.all() {
      let model = try TinyModel.llama.make(on: device)
      let results = try [9, 64, 300].map { capacity in
        let cache = DecodingCache(for: model.configuration, capacity: capacity, on: device)
        var rows: [[Float]] = []
        for id in ids {
          rows += try model.logits([[id]], cache: cache)
          cache.advance(by: 1)
        }
        return rows
      }
      #expect(results[0] == results[1] && results[1] == results[2])
    }
  }

  private static let sliding = TinyModel.hybrid([MixerSettings.sliding, "gated_delta", MixerSettings.sliding])

  /// 600 tokens move a window of 3 several times; pieces longer than its memory included.
  @Test(arguments: [
    [Int](repeating: 1, count: 600), [250, 1, 1, 300, 2] + [Int](repeating: 1, count: 46), [600],
  ])
  func behindAWindowMemoryIsConstant(chunks: [Int]) throws {
    let ids = TinyTokens.ids(600)
    #expect(!Self.sliding.keepsTokens)
    for device in try TestDevices.all() {
      let model = try TinyModel.make(Self.sliding, on: device)
      let cache = DecodingCache(for: model.configuration, capacity: 2, on: device)
      #expect(!cache.isBounded)
      var rows: [[Float]] = []
      var largest = 0
      for count in chunks {
        let start = cache.count
        rows += try model.logits([Array(ids[start..<start + count])], cache: cache)
        cache.advance(by: count)
        largest = max(largest, cache.byteCount)
      }
      let difference = largestDifference(rows, try model.logits([ids]))
      #expect(difference < 1e-4, "\(device.description.name) in \(chunks.count) pieces")
      if chunks.allSatisfy({ $0 == 1 }) {
        let early = DecodingCache(for: model.configuration, capacity: 2, on: device)
        _ = try model.logits([Array(ids.prefix(200))], cache: early)
        #expect(largest <= early.byteCount)
      }
    }
  }

  /// Both branches append to the same memory until one of them moves its window.
  @Test func aBranchReadsWhatItsOtherMovedAway() throws {
    let ids = TinyTokens.ids(400)
    for device in try TestDevices.all() {
      let model = try TinyModel.make(Self.sliding, on: device)
      let cache = DecodingCache(for: model.configuration, capacity: 2, on: device)
      func read(_ range: Range<Int>, _ cache: DecodingCache) throws -> [[Float]] {
        try range.map { position in
          defer { cache.advance(by: 1) }
          return try model.logits([[ids[position]]], cache: cache)[0]
        }
      }
      _ = try read(0..<100, cache)
      let branch = cache.branch()
      let far = try read(100..<400, branch)
      let near = try read(100..<110, cache)
      #expect(Array(far.prefix(10)) == near, "\(device.description.name)")
    }
  }
}
