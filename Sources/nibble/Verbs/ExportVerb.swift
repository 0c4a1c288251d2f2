import ArgumentParser
import Engine
import Files
import Kernels
import Terminal

/// `nibble export`: a really quantized model from one that was trained with rounded weights.
struct ExportVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write weights that training rounded as packed whole numbers.",
    discussion: """
      Writes a model folder (compressed-tensors, pack-quantized) whose products are those of the training: codes of 4 or 8 bits
      and scales in place of the weights that took part. `eval`, `generate` and `init=` read it.

      EXAMPLES
        nibble train DATA precision.recipe=qat-int4
        nibble export runs/NAME --output quantized/
        nibble export runs/NAME/checkpoints/best --output quantized/
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A run folder or checkpoint that was trained with rounded weights.") var model: String
  @Option(name: [.customShort("o"), .long], help: "The folder to write; it must not exist.") var output:
    String

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let folder = try ModelFolder(model)
    guard folder.adapter == nil else {
      throw UsageError("'\(model)' holds adapters", hints: ["nibble merge \(model) --output DIR first"])
    }
    guard !Folder.exists(output) else {
      throw Failure(
        "'\(output)' exists already", hints: ["choose another --output; nothing is overwritten"])
    }
    let export = try QuantizedExport(try folder.load(on: try call.open()), path: folder.path)
    if let uneven = export.unevenLayers.first {
      call.output.warning(
        ErrorReport(
          "the inputs of \(uneven) and others are no whole groups: nibble reads that, other programs may not")
      )
    }
    let target = try AtomicFolder(path: output)
    try export.write(to: target.temporaryPath)
    let files = try ModelTokenizer.attachments(file: ModelTokenizer.folder(of: folder))
    for file in files { try AtomicFile.write(file.bytes, to: target.temporaryPath + "/" + file.name) }
    try target.finish()
    let (count, byteCount) = export.packed
    call.output.result(
      "\(output): \(Numbers.grouped(count)) weights as codes of \(export.bits) bits, "
        + "\(Numbers.fixed(8 * Double(byteCount) / Double(max(1, count)), decimals: 2)) bits each with their scales"
    )
    call.output.json([
      "schema": 1, "model": .string(output), "source": .string(folder.path), "weights": .integer(count),
      "bits": .integer(export.bits), "bytes": .integer(byteCount),
    ])
    call.output.narrate("next: nibble eval \(output) --data FILE")
    return .done
  }
}
