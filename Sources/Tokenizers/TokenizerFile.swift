public import Files

/// Loads tokenizers from checkpoint folders and `tokenizer.json` files.
public enum TokenizerFile {
  /// The name of the file in a checkpoint folder.
  public static let name = "tokenizer.json"

  /// Loads the tokenizer of a folder, or a `tokenizer.json` itself.
  ///
  /// The ends of a text are looked up in `tokenizer_config.json` (`eos_token`, `bos_token`), then in
  /// `generation_config.json` and `config.json` (`eos_token_id`, `bos_token_id`) beside the file; without
  /// any of them, a special token named `<|endoftext|>`, `<|end_of_text|>` or `</s>` ends a text.
  ///
  /// - Throws: `FileError`, `JSONError`, `TokenizerError`; each names the file and the place in it.
  public static func load(_ path: String) throws -> BPETokenizer {
    let isFolder = Folder.isFolder(path)
    let folder = isFolder ? path : parent(of: path)
    let file = isFolder ? join(path, name) : path
    if isFolder, !Folder.exists(file) {
      throw TokenizerError.missingFile(folder: path, expected: [name])
    }
    return try load(
      try JSON.read(file), source: file, configuration: try sibling("tokenizer_config.json", folder),
      modelConfigurations: try ["generation_config.json", "config.json"].compactMap {
        try sibling($0, folder)
      })
  }

  /// Makes a tokenizer of the value of a `tokenizer.json`.
  ///
  /// - Parameters:
  ///   - value: The whole file.
  ///   - source: What the value is, for messages; usually the path.
  ///   - configuration: The value of `tokenizer_config.json`.
  ///   - modelConfigurations: Values that may have `eos_token_id` and `bos_token_id`; the first counts.
  /// - Returns: The tokenizer; see its `notices`.
  /// - Throws: `TokenizerError`.
  public static func load(
    _ value: JSON, source: String = "tokenizer.json", configuration: JSON? = nil,
    modelConfigurations: [JSON] = [],
  ) throws -> BPETokenizer {
    let reader = ComponentReader(source: source)
    guard let file = value.objectValue else { throw reader.wrongType("the file", "an object", value) }
    var vocabulary = VocabularyReader(reader)
    let model = try vocabulary.model(file["model"])
    var pipeline = PipelineReader(reader)
    let components = try pipeline.components(file, model)
    var boundaries = BoundaryReader(model: model, addedTokens: components.addedTokens)
    let ends = boundaries.boundaries(configuration: configuration, modelConfigurations: modelConfigurations)
    let result = BPETokenizer(
      model: model, components: components, boundaries: ends,
      notices: vocabulary.notices + pipeline.notices + boundaries.notices)
    try checkTemplate(result, reader)
    return result
  }

  private static func checkTemplate(_ tokenizer: BPETokenizer, _ reader: ComponentReader) throws {
    for id in tokenizer.components.prefixIDs + tokenizer.components.suffixIDs
    where tokenizer.bytes(of: id) == nil {
      throw reader.inconsistent("post_processor", "the id \(id) is outside the vocabulary")
    }
  }

  private static func sibling(_ name: String, _ folder: String) throws -> JSON? {
    let path = join(folder, name)
    return Folder.exists(path) ? try JSON.read(path) : nil
  }

  static func join(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
