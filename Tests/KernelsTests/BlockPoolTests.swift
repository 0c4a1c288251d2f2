import Testing

@testable import Kernels

@Suite struct BlockPoolTests {
  private static let requests: [Int] = {
    var requests = Array(0...20)
    for number in 0..<2000 { requests.append(number * 7919 + number * number) }
    for exponent in 12...40 {
      let power = 1 << exponent
      requests += [power - 1, power, power + 1]
    }
    return requests
  }()

  @Test func blocksHoldTheRequestWithLittleWaste() {
    for request in Self.requests {
      let size = BlockPool<Int>.blockSize(for: request)
      #expect(size >= request)
      #expect(size >= Memory.viewAlignment)
      #expect(size.isMultiple(of: Memory.viewAlignment))
      // An eighth of the request, or one step of the smallest size.
      let waste: Int = size - request
      #expect(waste <= max(Memory.viewAlignment, request / 8), "\(request) became \(size)")
    }
  }

  @Test func sizesRiseAndAreTheirOwnSize() {
    var last = 0
    for request in Self.requests.sorted() {
      let size = BlockPool<Int>.blockSize(for: request)
      #expect(size >= last)
      #expect(BlockPool<Int>.blockSize(for: size) == size)
      last = size
    }
  }

  @Test func anOctaveHasEightSizes() {
    let octave = 1 << 20
    let requests = stride(from: octave + 1, through: 2 * octave, by: 999)
    #expect(Set(requests.map { BlockPool<Int>.blockSize(for: $0) }).count == 8)
  }

  @Test func givesBackWhatFits() {
    var pool = BlockPool<String>()
    #expect(pool.take(size: 4096) == nil)
    pool.give("small", size: 4096)
    pool.give("large", size: 8192)
    pool.give("other large", size: 8192)
    #expect(pool.freeByteCount == 4096 + 2 * 8192)
    #expect(pool.take(size: 12_288) == nil)
    #expect(pool.take(size: 4096) == "small")
    #expect(pool.take(size: 4096) == nil)
    #expect(pool.freeByteCount == 2 * 8192)
    let taken = [pool.take(size: 8192), pool.take(size: 8192)].compactMap { $0 }
    #expect(taken.sorted() == ["large", "other large"])
    #expect(pool.freeByteCount == 0)
  }

  @Test func drainReturnsEveryBlockOnce() {
    var pool = BlockPool<Int>()
    for block in 0..<50 { pool.give(block, size: 4096 * (1 + block % 7)) }
    #expect(pool.drain().sorted() == Array(0..<50))
    #expect(pool.freeByteCount == 0)
    #expect(pool.drain().isEmpty)
    #expect(pool.take(size: 4096) == nil)
  }
}
