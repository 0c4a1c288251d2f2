import ArgumentParser

/// `nibble bench`: measured speeds.
struct BenchVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the speed of kernels and of training steps.",
    subcommands: [
      MatMulBench.self, TrainBench.self,
    ])
}
