import Files

/// Data before it becomes tokens: documents of text, or tokens that somebody made before.
///
/// Files stay mapped; only their structure is held. The steps are: open, `split`, train a tokenizer on
/// `forEachText` of the training part if one is wanted, `tokenized`.
public struct Corpus: Sendable {
  /// The path as it was given, or what the data is called.
  public let name: String

  /// Names in the folder that are not data and were left out, for a notice.
  public let skippedFiles: [String]

  let files: [DataFile]
  let content: Content

  enum Content: Sendable {
    case text([TextDocument])
    /// The part of each file's tokens that belongs to this corpus.
    case tokens([TokenPart])
  }

  /// A range of the tokens of a file.
  struct TokenPart: Sendable {
    let file: Int
    let layout: TokenFile
    let range: Range<Int>
  }

  init(name: String, skippedFiles: [String], files: [DataFile], content: Content) {
    self.name = name
    self.skippedFiles = skippedFiles
    self.files = files
    self.content = content
  }

  /// Whether this is text that needs a tokenizer; false for tokens made before.
  public var isText: Bool {
    switch content {
    case .text: true
    case .tokens: false
    }
  }

  /// Documents of text, or files of tokens.
  public var documentCount: Int {
    switch content {
    case .text(let documents): documents.count
    case .tokens(let parts): parts.count
    }
  }

  /// Characters (Unicode scalars) of all documents; nil for tokens.
  public var characterCount: Int? {
    guard case .text(let documents) = content else { return nil }
    return documents.reduce(0) { $0 + $1.characterCount }
  }
}

extension Corpus {
  /// Opens a file or a folder of files in the order of their names.
  ///
  /// - Parameters:
  ///   - path: A `.txt`, `.jsonl` or `.bin` file, or a folder of them; folders inside are not searched and
  ///     hidden files are left out.
  ///   - separator: What stands between the documents of a .txt file; empty if a file is one document.
  /// - Throws: `DataError`, `FileError`.
  public init(path: String, separator: String = "") throws {
    let (paths, skipped) = try Self.dataFiles(path)
    let files = try paths.map { path, format in
      DataFile(name: path, format: format, bytes: .mapped(try MappedFile(path: path)))
    }
    try self.init(name: path, skippedFiles: skipped, files: files, separator: Array(separator.utf8))
  }

  /// Makes a corpus of a text in memory.
  ///
  /// - Throws: `DataError.empty`.
  public init(text: String, name: String, separator: String = "") throws {
    let file = DataFile(name: name, format: .text, bytes: .memory(Array(text.utf8)))
    try self.init(name: name, skippedFiles: [], files: [file], separator: Array(separator.utf8))
  }

  init(name: String, skippedFiles: [String], files: [DataFile], separator: [UInt8]) throws {
    let content: Content
    if let tokens = files.first(where: { $0.format == .tokens }) {
      if let text = files.first(where: { $0.format != .tokens }) {
        throw DataError.mixedFolder(folder: name, text: text.name, tokens: tokens.name)
      }
      content = .tokens(try Self.tokenParts(files))
    } else {
      content = .text(try Self.documents(files, separator))
    }
    self.init(name: name, skippedFiles: skippedFiles, files: files, content: content)
    if isEmpty { throw DataError.empty(name: name) }
  }

  private var isEmpty: Bool {
    switch content {
    case .text(let documents): documents.isEmpty
    case .tokens(let parts): parts.allSatisfy(\.range.isEmpty)
    }
  }

  private static func dataFiles(
    _ path: String,
  ) throws -> (files: [(path: String, format: DataFormat)], skipped: [String]) {
    guard Folder.isFolder(path) else {
      if let format = DataFormat(path: path) { return ([(path, format)], []) }
      // A wrong path is the likelier mistake, and its message tells what the folder has.
      if !Folder.exists(path) { _ = try MappedFile(path: path) }
      throw DataError.unknownFormat(path: path, hint: DataFormat.hint(for: path))
    }
    var files: [(path: String, format: DataFormat)] = []
    var skipped: [String] = []
    for name in try Folder.names(in: path) where !name.hasPrefix(".") {
      let full = path.hasSuffix("/") ? path + name : path + "/" + name
      if let format = DataFormat(path: name), !Folder.isFolder(full) {
        files.append((full, format))
      } else {
        skipped.append(name)
      }
    }
    if files.isEmpty { throw DataError.noDataFiles(folder: path, skipped: skipped) }
    return (files, skipped)
  }

  private static func documents(_ files: [DataFile], _ separator: [UInt8]) throws -> [TextDocument] {
    try files.indices.flatMap { index in
      try files[index].bytes.withBytes { bytes in
        files[index].format == .jsonLines
          ? try JSONLines.documents(bytes, file: index, path: files[index].name)
          : TextDocument.documents(inText: bytes, file: index, separator: separator)
      }
    }
  }

  private static func tokenParts(_ files: [DataFile]) throws -> [TokenPart] {
    try files.indices.map { index in
      let layout = try files[index].bytes.withBytes { try TokenFile($0, path: files[index].name) }
      return TokenPart(file: index, layout: layout, range: 0..<layout.count)
    }
  }
}

extension Corpus {
  /// The SHA-256 of the files' bytes, for the record of a run; a split does not change it.
  ///
  /// One file: what `sha256sum` prints for it. Several files: the digest of the lines that `sha256sum`
  /// would print for them, with names instead of paths.
  public func contentHash() -> String {
    if files.count == 1 { return Self.hash(files[0]) }
    var lines = ""
    for file in files {
      let base = file.name.split(separator: "/").last.map(String.init) ?? file.name
      lines += "\(Self.hash(file))  \(base)\n"
    }
    return SHA256.hexadecimal(of: lines)
  }

  private static func hash(_ file: DataFile) -> String {
    file.bytes.withBytes { bytes in
      var digest = SHA256()
      digest.update(bytes)
      return digest.hexadecimal()
    }
  }
}
