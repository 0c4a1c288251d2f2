import Glibc
import Synchronization
import Terminal
import Testing

/// A pipe whose written side is given to the code under test.
private final class Pipe {
  let reader: Int32
  let writer: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    reader = ends[0]
    writer = ends[1]
  }

  /// Closes the written side and returns all that came through it.
  func drained() -> String {
    close(writer)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(reader, &buffer, buffer.count)
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    close(reader)
    return String(decoding: bytes, as: UTF8.self)
  }
}

@Suite struct OutputTests {
  private func output(_ results: Pipe, _ narration: Pipe, _ change: (inout Output.Options) -> Void = { _ in })
    -> Output
  {
    var options = Output.Options(environment: [:])
    change(&options)
    return Output(
      options: options, results: DescriptorWriter(descriptor: results.writer),
      narration: DescriptorWriter(descriptor: narration.writer))
  }

  @Test func keepsResultsAndNarrationApart() throws {
    let (results, narration) = (try Pipe(), try Pipe())
    let output = output(results, narration)
    output.result("perplexity 12.3")
    output.json(["perplexity": 12])
    output.narrate("reading")
    output.narrate("path: opencl", at: .verbose)
    output.progress.record([("step", "1"), ("note", "two words"), ("loss", "4.81")])
    output.progress.update { _ in ["never seen"] }
    try output.finish()
    #expect(results.drained() == "perplexity 12.3\n")
    #expect(narration.drained() == "reading\nstep=1 note=\"two words\" loss=4.81\n")
  }

  @Test func jsonModeWritesOnlyJSONLines() throws {
    let (results, narration) = (try Pipe(), try Pipe())
    let output = output(results, narration) {
      $0.json = true
      $0.verbosity = .quiet
    }
    output.result("for people")
    output.json(["loss": .number(1.5)])
    output.jsonLine("{\n\"a\": 1}")
    output.narrate("nothing")
    #expect(output.error(WriteError.failed(descriptor: 7, errorNumber: EINVAL)) == .failed)
    try output.finish()
    #expect(results.drained() == "{\"loss\":1.5}\n{ \"a\": 1}\n")
    #expect(narration.drained() == "error: cannot write to file descriptor 7: Invalid argument\n")
  }

  @Test func closedReaderIsNoFailure() throws {
    ignoreBrokenPipeSignal()
    let (results, narration) = (try Pipe(), try Pipe())
    let output = output(results, narration)
    close(results.reader)
    output.result("nobody reads this")
    #expect(output.isResultStreamClosed)
    try output.finish()
    close(results.writer)
    _ = narration.drained()
  }

  @Test func fullDiskIsReportedAtTheEnd() throws {
    let full = open("/dev/full", O_WRONLY)
    try #require(full >= 0)
    defer { close(full) }
    let narration = try Pipe()
    let output = Output(
      options: Output.Options(environment: [:]), results: DescriptorWriter(descriptor: full),
      narration: DescriptorWriter(descriptor: narration.writer))
    output.result("lost")
    #expect(throws: WriteError.failed(descriptor: full, errorNumber: ENOSPC)) { try output.finish() }
    _ = narration.drained()
  }

  @Test func waitsForAFullNonBlockingPipe() throws {
    let pipe = try Pipe()
    _ = fcntl(pipe.writer, F_SETFL, O_NONBLOCK)
    let text = String(repeating: "x", count: 300_000)
    let writer = DescriptorWriter(descriptor: pipe.writer)
    let reader = pipe.reader
    var thread = pthread_t()
    // The reader starts late and reads slowly, so the writer meets a full pipe.
    let context = Unmanaged.passRetained(Box(reader: reader))
    pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let box = Unmanaged<Box>.fromOpaque(raw).takeRetainedValue()
        usleep(20_000)
        var buffer = [UInt8](repeating: 0, count: 10_000)
        while true {
          let count = read(box.reader, &buffer, buffer.count)
          guard count > 0 else { break }
          box.total.add(count, ordering: .relaxed)
        }
        return nil
      }, context.toOpaque())
    let box = context.takeUnretainedValue()
    try writer.write(text)
    close(pipe.writer)
    pthread_join(thread, nil)
    #expect(box.total.load(ordering: .relaxed) == 300_000)
    close(reader)
  }

  private final class Box: Sendable {
    let reader: Int32
    let total = Atomic<Int>(0)
    init(reader: Int32) { self.reader = reader }
  }
}

@Suite struct ProgressDisplayTests {
  private final class Clock: Sendable {
    let milliseconds = Atomic<Int>(0)
    let start = ContinuousClock.now
  }

  @Test func redrawsAtMostTenTimesASecondWithinTheWidth() throws {
    let pipe = try Pipe()
    let clock = Clock()
    let display = ProgressDisplay(
      mode: .block, writer: DescriptorWriter(descriptor: pipe.writer), columns: { 11 },
      now: { clock.start + .milliseconds(clock.milliseconds.load(ordering: .relaxed)) })
    var made = 0
    for _ in 0..<100 {
      display.update { _ in
        made += 1
        return ["a line longer than the terminal", "second"]
      }
      clock.milliseconds.add(10, ordering: .relaxed)
    }
    display.scroll("evaluation")
    display.update(isLast: true) { _ in ["done"] }
    display.finish()
    #expect(made == 10)
    let text = pipe.drained()
    #expect(text.hasPrefix("a line lon\nsecond\r\u{1B}[1A\u{1B}[J"))
    #expect(text.hasSuffix("\r\u{1B}[1A\u{1B}[Jevaluation\na line lon\nsecond\r\u{1B}[1A\u{1B}[Jdone\n"))
  }

  @Test func drawsBars() {
    #expect(progressBar(0.24, columns: 12, glyphs: .ascii) == "[##        ]")
    #expect(progressBar(0.5, columns: 7, glyphs: .unicode) == "▕██▌  ▏")
    for step in 0...100 {
      #expect(displayWidth(progressBar(Double(step) / 100, columns: 9, glyphs: .unicode)) == 9)
    }
    #expect(progressBar(.nan, columns: 5, glyphs: .ascii) == "[   ]")
    #expect(progressBar(7, columns: 5, glyphs: .ascii) == "[###]")
  }
}
