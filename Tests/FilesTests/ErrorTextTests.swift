import Testing

@testable import Files

@Suite struct ErrorTextTests {
  private static let place = JSONPosition(source: "here", line: 1, column: 2, offset: 1)

  private static let errors: [any Error & CustomStringConvertible & Sendable] = [
    FileError.missing(path: "here", folder: "in '.': a"),
    FileError.refused(operation: "open", path: "here", code: 13),
    FileError.diskFull(path: "here", bytesWritten: 7), FileError.exists(path: "here"),
    FileError.wrongKind(path: "here", expected: "a file"),
    FileError.outOfBounds(path: "here", range: 1..<9, size: 4),
    FileError.locked(folder: "here", holder: "process 1 on box"), FileError.closed(path: "here"),
    JSONError.syntax(at: place, expected: "a value", found: "'}'"),
    JSONError.duplicateKey(at: place, key: "k"),
    JSONError.tooDeep(at: place, limit: 256), JSONError.invalidUTF8(at: place),
    JSONError.loneSurrogate(at: place, escape: "\\ud83d"),
    JSONError.numberOutOfRange(at: place, text: "1e999"),
    SafetensorsError.tooShort(path: "here", size: 3),
    SafetensorsError.header(path: "here", problem: "it is null"),
    SafetensorsError.wrongFileSize(path: "here", dataSize: 4, tensorSize: 8),
    SafetensorsError.invalidName(path: "here", tensor: "t"), ShardError.noWeightMap(index: "here"),
    ShardError.missingShard(index: "here", file: "s", folder: "in '.': a"),
    EventFileError.notAnEventFile(path: "here"), EventFileError.damaged(path: "here", offset: 40),
  ]

  @Test(arguments: errors.indices) func hasFourParts(index: Int) {
    let lines = "\(Self.errors[index])".split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix("cannot "))
    #expect(lines[1].hasPrefix("  ") && lines[1].count > 5)
    #expect(lines.last?.hasPrefix("  hint: ") == true)
    #expect(lines.joined().contains("here"))
  }

  @Test func systemRefusalsSayWhy() {
    let error = FileError.refused(operation: "open", path: "here", code: 13)
    #expect("\(error)".contains("Permission denied"))
  }
}
