import Kernels
import Synchronization
import Testing

@Suite struct HostThreadsTests {
  private func ranges(_ threads: Int, _ total: Int, grain: Int) -> [Range<Int>] {
    let seen = Mutex<[Range<Int>]>([])
    HostThreads(count: threads).forRanges(total, grain: grain) { range in seen.withLock { $0.append(range) } }
    return seen.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
  }

  @Test func rangesCoverEverythingOnceWhateverTheThreads() {
    for total in [1, 2, 7, 64, 65, 1000, 1023] {
      for grain in [1, 3, 8, 64, 1000, 5000] {
        let single = ranges(1, total, grain: grain)
        #expect(single.flatMap { Array($0) } == Array(0..<total), "\(total) by \(grain)")
        #expect(single.dropLast().allSatisfy { $0.count == grain })
        for threads in [2, 3, 16] { #expect(ranges(threads, total, grain: grain) == single) }
      }
    }
  }

  @Test func nothingToDoCallsNothing() {
    #expect(ranges(4, 0, grain: 8).isEmpty)
    #expect(ranges(4, -5, grain: 8).isEmpty)
  }

  @Test func aGrainBelowOneIsOne() {
    #expect(ranges(2, 3, grain: 0) == [0..<1, 1..<2, 2..<3])
    #expect(ranges(2, 3, grain: -7) == [0..<1, 1..<2, 2..<3])
  }

  @Test func thereIsAlwaysAThread() {
    #expect(HostThreads(count: 0).count == 1)
    #expect(HostThreads(count: -3).count == 1)
    #expect(HostThreads.defaultCount >= 1)
  }
}
