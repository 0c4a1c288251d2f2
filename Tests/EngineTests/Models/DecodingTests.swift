import Engine
import Kernels
import Testing

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
}
