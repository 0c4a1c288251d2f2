import ArgumentParser
import Engine
import Files
import Terminal
import Tokenizers

/// `nibble inspect`: what a model, a run, a safetensors file or a tokenizer holds, from headers alone.
struct InspectVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Configuration and tensors of a model, a run or a file.",
    discussion: """
      EXAMPLES
        nibble inspect runs/NAME
        nibble inspect model/ --tensors --layer 3
        nibble inspect model/model.safetensors --statistics --json
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A model folder, run folder, .safetensors file or tokenizer.json.") var path: String
  @Flag(help: "List the tensors.") var tensors = false
  @Option(help: "Only the tensors of this layer.") var layer: Int?
  @Flag(help: "Read the tensors and show minimum, maximum, mean and deviation.") var statistics = false

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let resolved = ModelFolder.resolve(path)
    if Folder.isFolder(resolved) {
      try inspectFolder(resolved, call)
    } else if resolved.hasSuffix(".json") {
      try inspectTokenizer(resolved, call)
    } else {
      guard resolved.hasSuffix(".safetensors") || !Folder.exists(resolved) else {
        throw UsageError(
          "'\(resolved)' is neither a model, nor a run, nor a tokenizer",
          hints: ["give a folder with a config.json, a run folder, a .safetensors file or a tokenizer.json"])
      }
      let file = try SafetensorsFile(path: resolved)
      let listed = try TensorList(file: file, layer: layer, statistics: statistics)
      call.output.result("\(resolved): \(listed.summary)")
      call.output.table(listed.table)
      call.output.json(["schema": 1, "path": .string(resolved), "tensors": listed.json])
    }
    return .done
  }

  private func inspectFolder(_ folder: String, _ call: Call) throws {
    let isTokenizerOnly = !ModelFolder.isModel(folder) && Folder.exists(folder + "/" + TokenizerFile.name)
    if isTokenizerOnly { return try inspectTokenizer(folder, call) }
    let model = try ModelFolder(folder)
    let list =
      try model.adapter.map {
        let file = try SafetensorsFile(path: $0.path + "/" + AdapterFolder.weightsFile)
        return try TensorList(file: file, layer: layer, statistics: statistics)
      }
      ?? TensorList(files: try ShardedTensors(folder: folder), layer: layer, statistics: statistics)
    let output = call.output
    for line in ModelSummary(model).lines(list) { output.result(line) }
    if tensors || layer != nil || statistics { output.table(list.table) }
    output.json([
      "schema": 1, "path": .string(folder), "architecture": .string(model.configuration.architecture),
      "parameters": .integer(list.elementCount), "bytes": .integer(list.byteCount),
      "model": ModelSummary(model).json, "tensors": list.json,
    ])
    if !(tensors || layer != nil || statistics) {
      output.narrate("next: nibble inspect \(path) --tensors, or --statistics")
    }
  }

  private func inspectTokenizer(_ path: String, _ call: Call) throws {
    let useless = [("--tensors", tensors), ("--layer", layer != nil), ("--statistics", statistics)]
    if let flag = useless.first(where: { $0.1 })?.0 {
      throw UsageError(
        "'\(path)' is a tokenizer and has no tensors: \(flag) has no effect", hints: ["leave out \(flag)"])
    }
    let tokenizer = try TokenizerFile.load(path)
    func name(_ id: Int32?) -> String { id.map { "\($0) '\(tokenizer.decode([$0]))'" } ?? "none" }
    call.output.result("\(path): byte-level BPE, \(Numbers.grouped(tokenizer.vocabularySize)) ids")
    call.output.result("  end of text  \(printable(name(tokenizer.endOfText)))")
    call.output.result("  begin        \(printable(name(tokenizer.beginningOfText)))")
    for notice in tokenizer.notices { call.output.result("  note         \(notice)") }
    call.output.json([
      "schema": 1, "path": .string(path), "vocabulary": .integer(tokenizer.vocabularySize),
      "end_of_text": tokenizer.endOfText.map { .integer(Int($0)) } ?? .null,
      "begin_of_text": tokenizer.beginningOfText.map { .integer(Int($0)) } ?? .null,
      "stop_ids": .array(tokenizer.stopIDs.map { .integer(Int($0)) }),
      "notices": .array(tokenizer.notices.map { .string($0) }),
    ])
  }
}

/// A model's shape in words and as data.
struct ModelSummary {
  private let model: ModelFolder

  init(_ model: ModelFolder) { self.model = model }

  /// One name for all layers, or the names in the order of layers.
  private var mixers: String {
    let kinds = model.configuration.mixers.kinds
    let window = model.configuration.windows.compactMap { $0 }.first.map { ", window \($0)" } ?? ""
    return (Set(kinds).count == 1 ? kinds[0] : kinds.joined(separator: ", ")) + window
  }

  func lines(_ list: TensorList) -> [String] {
    let it = model.configuration
    let groups = it.keyValueHeads == it.heads ? "" : " over \(it.keyValueHeads) of keys and values"
    var lines = [
      model.path,
      "  model       \(it.architecture), \(it.layers) layers, \(it.modelDimension) wide",
      "  attention   \(it.heads) heads of \(it.headDimension)\(groups)",
      "  mlp         \(it.hiddenDimension) wide, \(it.activation.rawValue)",
      "  vocabulary  \(Numbers.grouped(it.vocabularySize)) ids, head \(it.tiesEmbeddings ? "tied" : "of its own")",
      "  context     \(Numbers.grouped(it.contextLength)) tokens",
      "  weights     \(list.summary)",
    ]
    if let adapter = model.adapter {
      lines.append(
        "  adapters    rank \(adapter.settings.rank), scale \(Numbers.significant(adapter.settings.scale)), on "
          + adapter.basePath)
    }
    if let rope = it.rope {
      lines.insert("  positions   rotary, base \(Numbers.significant(rope.theta))", at: 4)
    }
    if it.mixers.kinds.contains(where: { $0 != MixerSettings.attention }) {
      lines.insert("  mixers      " + mixers, at: 3)
    }
    if let state = try? TrainingCheckpoint.readState(model.path) {
      let best =
        (state.bestAccuracy.map { ", best accuracy \(Numbers.fixed($0, decimals: 4))" } ?? "")
        + (state.bestValidationLoss.map { ", best validation loss \(Numbers.fixed($0, decimals: 4))" } ?? "")
      lines.append(
        "  training    step \(Numbers.grouped(state.step)) of \(Numbers.grouped(state.totalSteps)), "
          + "\(Numbers.si(Double(state.tokens))) tokens, seed \(state.seed)\(best)")
    }
    return lines
  }

  var json: JSONText {
    let it = model.configuration
    return [
      "layers": .integer(it.layers), "dimension": .integer(it.modelDimension), "heads": .integer(it.heads),
      "kv_heads": .integer(it.keyValueHeads), "head_dimension": .integer(it.headDimension),
      "hidden": .integer(it.hiddenDimension), "vocabulary": .integer(it.vocabularySize),
      "context": .integer(it.contextLength), "tied": .boolean(it.tiesEmbeddings),
      "activation": .string(it.activation.rawValue), "norm_epsilon": .number(it.normEpsilon),
      "rope_theta": JSONText(it.rope?.theta),
      "end_of_text": .array(it.endOfText.map { .integer(Int($0)) }),
    ]
  }
}
