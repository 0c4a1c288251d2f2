/// All tensors of a model folder, whether they lie in one file or in shards.
public final class ShardedTensors: Sendable {
  /// The folder.
  public let folder: String
  /// The opened files, in the order in which the index first names them.
  public let files: [SafetensorsFile]
  /// Every tensor, file by file.
  public let entries: [SafetensorsEntry]

  private let places: [ExactString: Int]

  private static let single = "model.safetensors"
  private static let index = "model.safetensors.index.json"

  /// Opens `model.safetensors`, or else the shards that `model.safetensors.index.json` names.
  ///
  /// - Throws: `FileError.missing` when there is neither, `ShardError` when index and shards disagree,
  ///   `SafetensorsError` and `JSONError` for the files themselves.
  public init(folder: String) throws {
    self.folder = Folder.withoutTrailingSlash(folder)
    let singlePath = self.folder + "/" + Self.single
    let indexPath = self.folder + "/" + Self.index
    if Folder.exists(singlePath) || !Folder.exists(indexPath) {
      files = [try SafetensorsFile(path: singlePath)]
    } else {
      files = try Self.openShards(indexPath, self.folder)
    }
    var places: [ExactString: Int] = [:]
    for (position, file) in files.enumerated() {
      for entry in file.entries { places[ExactString(entry.name)] = position }
    }
    self.places = places
    entries = files.flatMap(\.entries)
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { places[ExactString(name)] != nil }

  /// The file that holds a tensor.
  ///
  /// - Throws: `SafetensorsError.noSuchTensor`.
  public func file(holding name: String) throws -> SafetensorsFile {
    guard let position = places[ExactString(name)] else {
      let examples = entries.prefix(8).map(\.name) + (entries.count > 8 ? ["... (\(entries.count))"] : [])
      throw SafetensorsError.noSuchTensor(path: folder, tensor: name, examples: examples)
    }
    return files[position]
  }

  /// Type, shape and place of a tensor.
  public func entry(_ name: String) throws -> SafetensorsEntry { try file(holding: name).entry(name) }

  /// The elements of a tensor as Float; see `SafetensorsFile.floats`.
  public func floats(_ name: String) throws -> [Float] { try file(holding: name).floats(name) }

  /// The elements of a tensor as Double; see `SafetensorsFile.doubles`.
  public func doubles(_ name: String) throws -> [Double] { try file(holding: name).doubles(name) }

  /// The elements of an integer tensor; see `SafetensorsFile.integers`.
  public func integers(_ name: String) throws -> [Int32] { try file(holding: name).integers(name) }

  /// A copy of the raw bytes of a tensor.
  public func bytes(of name: String) throws -> [UInt8] { try file(holding: name).bytes(of: name) }
}

extension ShardedTensors {
  private static func openShards(_ indexPath: String, _ folder: String) throws -> [SafetensorsFile] {
    let index = try JSON.read(indexPath)
    guard let map = index["weight_map"]?.objectValue else { throw ShardError.noWeightMap(index: indexPath) }
    var tensorsOfShard: [ExactString: Set<ExactString>] = [:]
    var shardNames: [String] = []
    for member in map {
      guard let shard = member.value.stringValue, isPlainName(shard) else {
        throw ShardError.unsafeName(index: indexPath, tensor: member.key, file: member.value.serialized())
      }
      if tensorsOfShard[ExactString(shard)] == nil { shardNames.append(shard) }
      tensorsOfShard[ExactString(shard), default: []].insert(ExactString(member.key))
    }
    return try shardNames.map { name in
      let path = folder + "/" + name
      guard Folder.exists(path) else {
        throw ShardError.missingShard(index: indexPath, file: name, folder: Folder.describe(parentOf: path))
      }
      let file = try SafetensorsFile(path: path)
      try check(file, tensorsOfShard[ExactString(name)] ?? [], indexPath, name)
      return file
    }
  }

  /// The index and a shard must name the same tensors; so every tensor is there exactly once.
  private static func check(
    _ file: SafetensorsFile, _ promised: Set<ExactString>, _ indexPath: String, _ shard: String,
  ) throws {
    if let missing = promised.map(\.text).filter({ !file.contains($0) }).min() {
      throw ShardError.missingTensor(index: indexPath, tensor: missing, file: shard)
    }
    for entry in file.entries where !promised.contains(ExactString(entry.name)) {
      throw ShardError.unlistedTensor(index: indexPath, tensor: entry.name, file: shard)
    }
  }

  /// A name of a file in the same folder, and of nothing else.
  private static func isPlainName(_ name: String) -> Bool {
    name.utf8.count > ".safetensors".utf8.count && name.hasSuffix(".safetensors") && !name.hasPrefix(".")
      && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
  }
}

/// Why the index of a sharded model and its files do not fit together.
public enum ShardError: Error, Sendable, Equatable {
  /// The index has no object `weight_map`.
  case noWeightMap(index: String)
  /// The index names something other than a safetensors file in its own folder.
  case unsafeName(index: String, tensor: String, file: String)
  /// A file of the index is not there.
  case missingShard(index: String, file: String, folder: String)
  /// A tensor is not in the file the index names.
  case missingTensor(index: String, tensor: String, file: String)
  /// A file holds a tensor that the index places elsewhere or nowhere.
  case unlistedTensor(index: String, tensor: String, file: String)
}

extension ShardError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noWeightMap(let index):
      """
      cannot read '\(index)': it has no object 'weight_map'
        expected: {"metadata": {...}, "weight_map": {tensor: file}}
        hint: fetch or write the index again
      """
    case .unsafeName(let index, let tensor, let file):
      """
      cannot read '\(index)': not the name of a shard in the same folder
        weight_map places '\(tensor)' in \(file)
        hint: shards are plain names that end in '.safetensors'
      """
    case .missingShard(let index, let file, let folder):
      """
      cannot open the model: the shard '\(file)' is missing
        named by '\(index)'; \(folder)
        hint: fetch the missing file
      """
    case .missingTensor(let index, let tensor, let file):
      """
      cannot open the model: '\(file)' does not hold '\(tensor)'
        placed there by '\(index)'
        hint: index and shards come from different versions; fetch both again
      """
    case .unlistedTensor(let index, let tensor, let file):
      """
      cannot open the model: '\(file)' holds '\(tensor)' against its index
        '\(index)' places it elsewhere or nowhere
        hint: index and shards come from different versions; fetch both again
      """
    }
  }
}
