import Files
import Glibc
import Testing

@testable import Engine

/// Files that tests of the data read, shared between checkouts.
enum SharedData {
  static let root: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/") + "/../shared"
  }()

  static func path(_ relative: String) -> String { root + "/" + relative }

  static func exists(_ relative: String) -> Bool { access(path(relative), F_OK) == 0 }
}

/// A folder of its own for one test, removed at the end.
final class DataFolder {
  let path: String

  init() throws {
    path = "/tmp/nibble-data-\(getpid())-\(UInt64.random(in: .min ... .max))"
    try Folder.create(path)
  }

  deinit { try? Folder.remove(path) }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let file = path + "/" + name
    try AtomicFile.write(bytes, to: file)
    return file
  }

  func write(_ text: String, _ name: String) throws -> String { try write(Array(text.utf8), name) }
}

/// Little-endian bytes.
func littleEndian(_ values: [UInt16]) -> [UInt8] {
  values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
}

/// Little-endian bytes.
func littleEndian(_ values: [UInt32]) -> [UInt8] {
  values.flatMap { word in [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) } }
}

/// The header of llm.c.
func tokenFileHeader(magic: UInt32, version: UInt32, count: UInt32) -> [UInt8] {
  littleEndian([magic, version, count] + [UInt32](repeating: 0, count: 253))
}

/// Tokens that count up from 0, modulo a vocabulary.
func countingTokens(_ count: Int, vocabularySize: Int = 50_000, endOfText: Int32? = nil) throws
  -> TokenSequence
{
  try TokenSequence(
    (0..<count).map { Int32($0 % vocabularySize) }, vocabularySize: vocabularySize, endOfText: endOfText)
}

/// Runs a body that must fail and returns the text of its error.
func dataError(of body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return "\(error)"
  }
}

/// A message has a sentence, values and a hint.
func expectDataError(_ message: String, mentions parts: String...) {
  #expect(message.contains("\n  hint: "), "\(message)")
  for part in parts { #expect(message.contains(part), "\(message)") }
}
