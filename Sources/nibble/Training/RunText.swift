import Configuration
import Engine
import Files
import Terminal
import Tokenizers

/// The tokenizer of a run and the files of it that checkpoints carry.
struct RunTokenizer {
  let tokenizer: any Tokenizer
  let attachments: [TrainingCheckpoint.Attachment]
  /// Set when it was trained for this run and must be saved in its folder.
  let isNew: Bool

  /// Loads or trains the tokenizer that the configuration names.
  ///
  /// - Parameters:
  ///   - folder: The run folder, which keeps a trained tokenizer.
  ///   - checkpoint: Where the run goes on from. It has its tokenizer with it; the file that it was copied from may be
  ///     gone or another by now.
  init(
    _ settings: DataSettings, training corpus: Corpus, folder: String, checkpoint: String?,
    narrating output: Output,
  ) throws {
    switch settings.tokenizer {
    case .bytes:
      let bytes = ByteTokenizer(endOfText: settings.endOfText ? .present : .absent)
      tokenizer = bytes
      attachments = ModelTokenizer.attachments(bytes: bytes)
      isNew = false
    case .file(let original):
      let path = checkpoint ?? original
      let named = try ModelTokenizer.named(path)
      tokenizer = named
      attachments =
        try (named as? ByteTokenizer).map { ModelTokenizer.attachments(bytes: $0) }
        ?? ModelTokenizer.attachments(file: ModelFolder.resolve(path))
      isNew = false
    case .bytePairs(let vocabulary):
      if Folder.exists(folder + "/" + TokenizerFile.name) {
        tokenizer = try TokenizerFile.load(folder)
        attachments = try ModelTokenizer.attachments(file: folder)
        isNew = false
      } else {
        let trained = try TokenizerTraining.run(corpus, vocabulary: vocabulary, narrating: output)
        tokenizer = try trained.tokenizer()
        attachments = ModelTokenizer.attachments(trained: trained)
        isNew = true
      }
    }
  }

  /// Puts a tokenizer that was trained for the run into its folder.
  func save(to folder: String) throws {
    guard isNew else { return }
    for file in attachments { try AtomicFile.write(file.bytes, to: folder + "/" + file.name) }
  }
}

/// The text of a run, opened and divided, not yet tokens.
struct RunCorpus {
  let training: Corpus
  let validation: Corpus?
  let name: String
  private let wholeHash: () -> String

  init(_ settings: DataSettings) throws {
    let name = settings.path ?? DataSettings.embeddedName
    self.name = name
    let whole = try TextFiles.corpus(name, separator: settings.separator)
    if let path = settings.validation {
      let other = try TextFiles.corpus(path, separator: settings.separator)
      (training, validation) = (whole, other)
      wholeHash = { SHA256.hexadecimal(of: whole.contentHash() + other.contentHash()) }
    } else {
      (training, validation) = try whole.split(validationFraction: settings.validationFraction)
      wholeHash = { whole.contentHash() }
    }
  }

  /// SHA-256 of the text's bytes.
  func hash() -> String { wholeHash() }
}
