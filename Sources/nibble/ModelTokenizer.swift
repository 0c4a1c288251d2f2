import Engine
import Files
import Terminal
import Tokenizers

/// Finds the tokenizer of a checkpoint, and marks checkpoints that were trained on bytes.
enum ModelTokenizer {
  /// The key in tokenizer_config.json by which a checkpoint says that its tokens are bytes.
  static let kindKey = "nibble_tokenizer"
  static let configurationFile = "tokenizer_config.json"

  /// What a name on the command line means: `bytes`, a tokenizer.json, or a folder of a model, tokenizer or run.
  static func named(_ name: String) throws -> any Tokenizer {
    if name == "bytes" { return ByteTokenizer() }
    let path = ModelFolder.resolve(name)
    guard Folder.isFolder(path) else { return try TokenizerFile.load(path) }
    if ModelFolder.isModel(path) { return try of(try ModelFolder(path)) }
    return try fromFiles(path) ?? TokenizerFile.load(path)
  }

  /// The tokenizer of a model folder: its tokenizer.json, or bytes where the checkpoint says so or has as many
  /// token kinds as there are bytes.
  static func of(_ model: ModelFolder) throws -> any Tokenizer {
    if let tokenizer = try fromFiles(folder(of: model)) { return tokenizer }
    switch model.configuration.vocabularySize {
    case 256: return ByteTokenizer()
    case 257: return ByteTokenizer(endOfText: .present)
    default: throw TokenizerError.missingFile(folder: model.path, expected: [TokenizerFile.name])
    }
  }

  /// Where a model's tokenizer is: adapters from elsewhere leave it to the model below.
  static func folder(of model: ModelFolder) -> String {
    let names = [configurationFile, TokenizerFile.name]
    return names.contains { Folder.exists(model.path + "/" + $0) } ? model.path : model.weightsPath
  }

  private static func fromFiles(_ folder: String) throws -> (any Tokenizer)? {
    let file = folder + "/" + configurationFile
    if Folder.exists(file), let object = try JSON.read(file).objectValue {
      switch object[kindKey]?.stringValue {
      case "bytes":
        return ByteTokenizer(endOfText: object["eos_token"]?.stringValue == nil ? .absent : .present)
      case "none":
        throw Failure(
          "the model in '\(folder)' has no tokenizer: it was trained on a generated task, not on text",
          hints: ["nibble eval RUN measures it on its task"])
      default: break
      }
    }
    return Folder.exists(folder + "/" + TokenizerFile.name) ? try TokenizerFile.load(folder) : nil
  }

  /// The files of a tokenizer that every checkpoint carries; other programs read bytes as a BPE without merges.
  static func attachments(bytes tokenizer: ByteTokenizer) -> [TrainingCheckpoint.Attachment] {
    let end: JSON = tokenizer.endOfText == nil ? .null : .string(ByteTokenizer.endOfTextName)
    let configuration: JSON = [
      "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "eos_token": end,
      "bos_token": .null, "nibble_tokenizer": "bytes",
    ]
    return [
      .init(name: TokenizerFile.name, bytes: ByteVocabulary.file(tokenizer).serializedBytes(.pretty)),
      .init(name: configurationFile, bytes: configuration.serializedBytes(.pretty)),
    ]
  }

  /// What a checkpoint says whose tokens never were text, however many kinds there are.
  static let absentAttachments = [
    TrainingCheckpoint.Attachment(
      name: configurationFile, bytes: JSON.object([kindKey: "none"]).serializedBytes(.pretty))
  ]

  static func attachments(trained: TrainedBPE) -> [TrainingCheckpoint.Attachment] {
    [
      .init(name: TokenizerFile.name, bytes: trained.tokenizerFile.serializedBytes(.pretty)),
      .init(name: configurationFile, bytes: trained.configurationFile.serializedBytes(.pretty)),
    ]
  }

  /// Copies of the files beside a tokenizer.json.
  static func attachments(file path: String) throws -> [TrainingCheckpoint.Attachment] {
    let folder = Folder.isFolder(path) ? path : parent(of: path)
    let names = [TokenizerFile.name, configurationFile, "special_tokens_map.json"]
    return try names.compactMap { name in
      let source = name == TokenizerFile.name && !Folder.isFolder(path) ? path : folder + "/" + name
      guard Folder.exists(source) else { return nil }
      let file = try MappedFile(path: source)
      return .init(name: name, bytes: try file.bytes(in: 0..<file.count))
    }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// Learning a tokenizer with progress on standard error.
enum TokenizerTraining {
  static func run(
    _ corpus: Corpus, vocabulary: Int, pattern: BPETrainer.Pattern = .gpt2, narrating output: Output,
  ) throws -> TrainedBPE {
    var trainer = try BPETrainer(vocabularySize: vocabulary, pattern: pattern)
    var read = 0
    try corpus.forEachText { text in
      trainer.add(text)
      read += text.utf8.count
      output.progress.update { _ in ["tokenizer: read \(Numbers.bytes(read))"] }
    }
    let merges = max(1, vocabulary - 257)
    let trained = try trainer.train { learned in
      output.progress.update { columns in
        let bar = progressBar(
          Double(learned) / Double(merges), columns: min(30, columns / 3), glyphs: output.glyphs)
        return ["tokenizer: \(bar) \(Numbers.grouped(learned)) of \(Numbers.grouped(merges)) merges"]
      }
    }
    output.progress.suspend()
    if trained.vocabularySize < vocabulary {
      output.warning(
        ErrorReport(
          "the text gave only \(trained.vocabularySize) of \(vocabulary) tokens: no pair occurs twice any more",
          hints: ["a smaller vocabulary, or more text"]))
    }
    return trained
  }
}
