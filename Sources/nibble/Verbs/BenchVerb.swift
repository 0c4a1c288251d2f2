import ArgumentParser

/// `nibble bench`: measured speeds.
struct BenchVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the speed of kernels and of training steps.",
    subcommands: [
      MatMulBench.self, AttentionBench.self, LinearAttentionBench.self, NormBench.self,
      CrossEntropyBench.self, OptimizerBench.self, ElementwiseBench.self, RoPEBench.self,
      QuantizeBench.self,
      LayerPartBench.self, DecodeBench.self, CopyBench.self, LaunchBench.self,
      TrainBench.self, CurveBench.self,
    ])
}
