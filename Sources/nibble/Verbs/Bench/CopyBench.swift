import ArgumentParser
import Engine
import Terminal

/// `nibble bench copy`: the memory's speed.
struct CopyBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "copy", abstract: "Time copies from array to array, by a kernel and by the driver.",
    discussion: """
      Without --bytes the arrays are far larger than caches; the best copy is the bandwidth that shares refer to.

      EXAMPLES
        nibble bench copy --devices all
        nibble bench copy --bytes 65536-268435456*4
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Bytes of one array, a multiple of 64.", transform: NumberList.init(parsing:)) var bytes:
    NumberList?

  func validate() throws {
    if let size = bytes?.values.first(where: { !$0.isMultiple(of: 64) }) {
      throw ValidationError("--bytes is \(size); give multiples of 64.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let sizes: [Int?] = bytes?.values ?? [nil]
    return try BenchRun(call: call, options: bench, hasArithmetic: false)() { device in
      sizes.flatMap { KernelBenchmark.copies(byteCount: $0, on: device) }
    }
  }
}
