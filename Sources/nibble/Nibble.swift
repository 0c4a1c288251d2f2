import ArgumentParser
import Terminal

/// The command line: one verb a call.
///
/// `Program.run` decides what an error means.
@main
struct Nibble: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nibble",
    abstract: "Train language models on any OpenCL device.",
    version: Program.version,
    subcommands: [
      TrainVerb.self, SweepVerb.self, GenerateVerb.self, MergeVerb.self, ExportVerb.self, TokenizerVerb.self,
      EvalVerb.self, ReportVerb.self, BenchVerb.self, TuneVerb.self, TuningWorker.self, VerifyVerb.self,
      DevicesVerb.self, InspectVerb.self, ConfigVerb.self, CompletionsVerb.self,
    ],
  )

  static func main() {
    Program.run(Array(CommandLine.arguments.dropFirst()))
  }

  /// What `nibble` alone prints.
  static let overview = """
    nibble \(Program.version): train language models on any OpenCL device, offline.
    make
      train        train a model from a configuration, a text or where a run stopped
      sweep        train a grid or a list of configurations and compare them
      generate     continue a text with a trained model
      merge        add trained adapters to the weights they stand on
      tokenizer    train a tokenizer, encode and decode with one
    measure
      eval         loss, perplexity and bits per byte of a model on a text
      report       curves and heat maps of runs, the first step where something went wrong
      bench        speed of kernels and training steps, against what the device can do
      tune         search the fastest kernel configurations of a device
      verify       check every operation on this machine's devices
    look
      devices      what is there and what each device can do
      inspect      configuration and tensors of a model, a file or a run
      config       show, check, document and start configurations
      completions  a script for bash, zsh or fish
    first: nibble train preset=first-run, two minutes on the text inside the program; then nibble generate runs/NAME
    `nibble help VERB` explains a verb; --device, --json, --threads, -q, -v work with all.
    """
}
