import Testing

@testable import Kernels

@Suite struct DeviceClockTests {
  @Test(arguments: [(5, 3, 9), (5, 9, 7), (0, 0, 0), (UInt64.max, 4, 5)] as [(UInt64, UInt64, UInt64)])
  func timesThatRunBackwardsAreNone(queued: UInt64, start: UInt64, end: UInt64) {
    #expect(DeviceTimes(queued: queued, start: start, end: end) == nil)
  }

  /// Queued 0.1 s after the host's call began: the clocks differ by what both calls leave possible.
  @Test func timesBecomeTheHosts() throws {
    let base: UInt64 = 1_000_000_000_000
    let first = try #require(DeviceTimes(queued: base, start: base + 1_000_000, end: base + 3_000_000))
    let second = try #require(
      DeviceTimes(queued: base + 1_000_000_000, start: base + 1_000_000_000, end: base + 2_000_000_000))
    let clock = DeviceClock([
      (first, DeviceProfile.Span(start: 10, end: 10.2)), (second, DeviceProfile.Span(start: 11.1, end: 11.3)),
    ])
    // The first bounds the offset to 10...10.2, the second to 10.1...10.3.
    let span = clock.span(of: second)
    #expect(abs(span.start - 11.15) < 1e-9 && abs(span.end - 12.15) < 1e-9)
    #expect(abs(clock.span(of: first).seconds - 2e-3) < 1e-12)
  }
}
