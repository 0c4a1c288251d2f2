import Engine
import Kernels
import Testing

@Suite struct EmbeddingTests {
  private let device = HostDevice(threads: 1)

  /// More rows than one rectangle of the table, and rows that no id touches.
  @Test func gradientOverManyRowsCountsIds() throws {
    let (vocabulary, tokens) = (5000, 300)
    let ids = (0..<tokens).map { Int32(($0 * $0 * 37) % vocabulary) }
    let tape = Tape(on: device, isRecording: true)
    let weight = tape.watch(
      Tensor([Float](repeating: 0, count: vocabulary * 70), shape: [vocabulary, 70], on: device))
    let y = tape.embedding(Tensor(ids, shape: [3, 100], on: device), weight: weight)
    #expect(y.shape == [3, 100, 70])
    let ones = Tensor([Float](repeating: 1, count: tokens * 70), shape: y.shape, on: device)
    let gradient = try #require(tape.gradients(of: [y], with: [ones], for: [weight])[0])
    var counts = [Float](repeating: 0, count: vocabulary)
    for id in ids { counts[Int(id)] += 1 }
    #expect(try gradient.floats(on: device) == counts.flatMap { [Float](repeating: $0, count: 70) })
  }
}
