import ArgumentParser
import Engine
import Files
import Kernels
import Terminal

/// `nibble merge`: a model of its own from adapters and the model below them.
struct MergeVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "merge", abstract: "Add trained adapters to the weights they stand on.",
    discussion: """
      Writes a model folder as `init=`, `eval` and other programs read it; the adapters and the model below stay as they are.

      EXAMPLES
        nibble merge runs/NAME --output merged/
        nibble merge runs/NAME/checkpoints/best --output merged/
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A run folder or checkpoint with adapters (adapter_config.json).") var adapters: String
  @Option(name: [.customShort("o"), .long], help: "The folder to write; it must not exist.") var output:
    String

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let folder = try ModelFolder(adapters)
    guard let adapter = folder.adapter else {
      throw UsageError(
        "'\(adapters)' has no adapters to merge",
        hints: ["give a run that was trained with adapter.rank, or its checkpoint"])
    }
    guard !Folder.exists(output) else {
      throw Failure(
        "'\(output)' exists already", hints: ["choose another --output; nothing is overwritten"])
    }
    let target = try AtomicFolder(path: output)
    let model = try folder.load(on: try call.open(), unpacks: true)
    let count = model.parameters.trained.count
    model.parameters.adapters?.merge(into: model.parameters)
    try ModelFolder.write(model, to: target.temporaryPath)
    let files = try ModelTokenizer.attachments(file: ModelTokenizer.folder(of: folder))
    for file in files { try AtomicFile.write(file.bytes, to: target.temporaryPath + "/" + file.name) }
    try target.finish()
    call.output.result(
      "\(output): \(Numbers.grouped(model.parameters.count)) parameters, "
        + "\(Numbers.grouped(count)) of adapters added to \(adapter.basePath)")
    call.output.json([
      "schema": 1, "model": .string(output), "adapters": .string(folder.path),
      "base": .string(adapter.basePath), "parameters": .integer(model.parameters.count),
      "adapter_parameters": .integer(count),
    ])
    call.output.narrate("next: nibble eval \(output) --data FILE")
    return .done
  }
}
