extension JSON {
  /// Reads and parses a JSON file.
  ///
  /// - Throws: `FileError` or `JSONError`, both with the path.
  public static func read(_ path: String) throws -> JSON {
    try MappedFile(path: path).withBytes { bytes throws(JSONError) in try parse(bytes, source: path) }
  }

  /// Reads a file that Python wrote; see ``JSON/parsePython(_:source:)``.
  public static func readPython(_ path: String) throws -> JSON {
    try MappedFile(path: path).withBytes { bytes throws(JSONError) in
      try parsePython(bytes, source: path)
    }
  }

  /// Writes the JSON text and a line end as one atomic file.
  public func write(to path: String, _ style: JSONStyle = .pretty, overwrite: Bool = true) throws(FileError) {
    try AtomicFile.write(serializedBytes(style) + [0x0A], to: path, overwrite: overwrite)
  }
}
