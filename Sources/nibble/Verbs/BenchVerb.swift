import ArgumentParser
import Configuration
import Engine
import Kernels
import Terminal
import Tokenizers

/// `nibble bench`: measured speeds.
struct BenchVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the speed of kernels and of training steps.",
    subcommands: [
      MatMulBench.self, TrainBench.self,
    ])

  /// `nibble bench train`: whole steps of a preset's model.
  struct TrainBench: Verb {
    static let configuration = CommandConfiguration(
      commandName: "train", abstract: "Time training steps of a preset's model on random tokens.",
      discussion: """
        The share of the peak counts 6 N + 6 x layers x width x time FLOPs per token (head and tied embedding once, half of
        the attention scores) against the best of 8 OpenBLAS products of 1536 x 1536 matrices in the same run.

        EXAMPLES
          nibble bench train --config tiny
          nibble bench train --config small --device cpu --json
          nibble bench train --config base model.layers=4 --steps 10
        """)

    @OptionGroup var globals: GlobalOptions
    @Option(help: "A preset: tiny, small, base, gpt2 or long.") var config: String
    @Option(help: "Timed steps.") var steps = 8
    @Flag(help: "One more step with the time of every kernel (OpenCL devices).") var profile = false
    @Argument(help: "Keys of the configuration, key=value.") var assignments: [String] = []

    func validate() throws {
      if !(1...10_000).contains(steps) { throw ValidationError("--steps is \(steps); give 1 to 10000.") }
    }

    func run(_ call: Call) throws -> Terminal.ExitCode {
      let output = call.output
      let keys = try assignments.map { text in
        guard let assignment = Assignment(argument: text) else {
          throw UsageError(
            "'\(text)' is no key=value", hints: ["nibble bench train --config tiny model.layers=2"])
        }
        return assignment
      }
      let preset = Assignment(key: "preset", value: config, flag: "--config")
      let values = try ResolvedConfiguration(ConfigurationSources(assignments: [preset] + keys)).values
      let benchmark = TrainingBenchmark(
        try ModelShape.configuration(values, ByteTokenizer(endOfText: .absent)),
        sequences: values.batch.tokens / values.model.context, context: values.model.context)
      let device = try call.open()
      output.narrate("\(config) on \(device.description.name): two steps first, then \(steps) timed ones")
      let result = try benchmark.run(on: device, steps: steps, profiles: profile) { index, seconds in
        output.narrate("step \(index): \(Numbers.duration(seconds))")
      }
      if profile, result.kernels.isEmpty {
        throw UsageError(
          "there are no kernels to profile on \(device.description.name)", hints: ["--device pocl:0"])
      }
      let peak = TrainingBenchmark.sgemmPeak()
      report(result, benchmark, peak: peak, device: device, output)
      return .done
    }

    private func report(
      _ result: TrainingBenchmark.Result, _ benchmark: TrainingBenchmark, peak: Double,
      device: any OperationDevice,
      _ output: Output,
    ) {
      let sorted = result.stepSeconds.sorted()
      let median = result.medianSeconds
      let tokens = Double(benchmark.sequences * benchmark.context)
      let rate = result.flopsPerStep / median
      output.result(
        """
        \(config) on \(device.description.name): \(Numbers.significant(tokens / median)) tokens/s, \
        \(Numbers.significant(rate / 1e9)) GFLOP/s, \(Numbers.significant(100 * rate / peak)) % of the sgemm peak of \
        \(Numbers.significant(peak / 1e9)) GFLOP/s
        """)
      if !result.kernels.isEmpty { output.table(table(result.kernels)) }
      output.json([
        "schema": 1, "config": .string(config), "device": .string(device.description.name),
        "driver": .string(device.description.driver), "parameters": .integer(result.parameterCount),
        "tokens_per_s": .number(tokens / median), "step_s": .number(median),
        "step_s_quartiles": .array([.number(sorted[sorted.count / 4]), .number(sorted[sorted.count * 3 / 4])]
        ),
        "step_s_samples": .array(result.stepSeconds.map { .number($0) }),
        "first_step_s": .number(result.firstStepSeconds), "gflops": .number(rate / 1e9),
        "sgemm_peak_gflops": .number(peak / 1e9), "share_of_peak": .number(rate / peak),
        "peak_memory_bytes": .integer(TrainingBenchmark.peakResidentByteCount()),
        "device_memory_bytes": .integer(device.memoryUse.peak),
        "launches_per_step": .integer(result.launches),
        "loss": .number(result.lastLoss),
        "kernels": .array(
          result.kernels.map {
            [
              "name": .string($0.name), "calls": .integer($0.calls), "time_s": .number($0.seconds),
            ]
          }),
      ])
    }

    private func table(_ kernels: [TrainingBenchmark.KernelTime]) -> Table {
      var table = Table([
        .init("KERNEL", .left), .init("CALLS", .right), .init("TIME", .right), .init("SHARE", .right),
      ])
      let total = kernels.reduce(0) { $0 + $1.seconds }
      for kernel in kernels {
        table.append([
          kernel.name, "\(kernel.calls)", Numbers.duration(kernel.seconds),
          Numbers.percent(kernel.seconds / total),
        ])
      }
      return table
    }
  }
}
