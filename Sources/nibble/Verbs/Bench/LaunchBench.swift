import ArgumentParser
import Engine
import Terminal

/// `nibble bench launch`: what a launch costs that does nothing.
struct LaunchBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "launch", abstract: "Time launches of an empty kernel, waited for and queued.",
    discussion: """
      On `cpu`: handing nothing to all threads.

      EXAMPLES
        nibble bench launch --devices all
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions

  func run(_ call: Call) throws -> Terminal.ExitCode {
    try BenchRun(call: call, options: bench, hasArithmetic: false)() { _ in KernelBenchmark.launches() }
  }
}
