import Glibc
import Testing

@testable import Files

@Suite struct MappedFileTests {
  @Test func givesTheBytesOfAFile() throws {
    let scratch = try ScratchFolder()
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 31) }
    try write(bytes, to: scratch.file("data"))
    let file = try MappedFile(path: scratch.file("data"))
    #expect(file.count == 10_000)
    #expect(file.withBytes { $0.count } == 10_000)
    #expect(try file.bytes(in: 5_000..<5_010) == Array(bytes[5_000..<5_010]))
    #expect(try file.bytes(in: 10_000..<10_000) == [])
    #expect(try file.withBytes(in: 9_999..<10_000) { $0[0] } == bytes[9_999])
    #expect(try file.withUnsafeBytes(in: 1..<3) { Array($0) } == Array(bytes[1..<3]))
  }

  @Test(arguments: [9_999..<10_001, -1..<3, 20_000..<20_000, 0..<Int.max])
  func refusesRangesBeyondTheEnd(range: Range<Int>) throws {
    let scratch = try ScratchFolder()
    try write([UInt8](repeating: 1, count: 10_000), to: scratch.file("data"))
    let file = try MappedFile(path: scratch.file("data"))
    let error = FileError.outOfBounds(path: scratch.file("data"), range: range, size: 10_000)
    #expect(throws: error) { try file.bytes(in: range) }
    #expect(throws: error) { try file.withBytes(in: range) { $0.count } }
  }

  @Test func mapsAnEmptyFile() throws {
    let scratch = try ScratchFolder()
    try write([], to: scratch.file("empty"))
    let file = try MappedFile(path: scratch.file("empty"))
    #expect(file.count == 0)
    #expect(file.withBytes { $0.isEmpty })
    #expect(try file.bytes(in: 0..<0) == [])
  }

  @Test func staysReadableAfterTheFileIsReplaced() throws {
    let scratch = try ScratchFolder()
    try write([1, 2, 3], to: scratch.file("data"))
    let file = try MappedFile(path: scratch.file("data"))
    try AtomicFile.write([9], to: scratch.file("data"))
    #expect(try file.bytes(in: 0..<3) == [1, 2, 3])
  }

  @Test func saysWhatIsInTheFolderOfAMissingFile() throws {
    let scratch = try ScratchFolder()
    for index in 10..<24 { try write([], to: scratch.file("shard\(index)")) }
    #expect {
      try MappedFile(path: scratch.file("model"))
    } throws: { error in
      let text = "\(error)"
      return text.contains(scratch.file("model")) && text.contains("shard10, shard11")
        && text.contains("and 2 more")
    }
    #expect {
      try MappedFile(path: scratch.file("no/model"))
    } throws: { error in
      "\(error)".contains("cannot be read either")
    }
  }

  @Test func refusesWhatIsNoRegularFile() throws {
    let scratch = try ScratchFolder()
    let pipe = scratch.file("pipe")
    try #require(mkfifo(pipe, 0o600) == 0)
    for path in [scratch.path, pipe] {
      #expect(throws: FileError.wrongKind(path: path, expected: "a regular file")) {
        try MappedFile(path: path)
      }
    }
  }

  @Test func jsonFilesRoundTripAndNameTheirPath() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("config.json")
    let json: JSON = ["vocab_size": 64, "eps": 1e-6]
    try json.write(to: path)
    #expect(try JSON.read(path) == json)
    #expect(try readBytes(path).last == 0x0A)
    try write(Array("{".utf8), to: path)
    #expect {
      try JSON.read(path)
    } throws: { error in
      "\(error)".contains(path + ":1:2")
    }
  }

  @Test(arguments: [
    ("a", ".", "a"), ("a/b", "a", "b"), ("/a", "/", "a"), ("/", "/", "/"), ("a/b//", "a", "b"),
    ("a//b", "a", "b"),
  ]) func splitsPaths(path: String, parent: String, name: String) {
    #expect(Folder.parent(of: path) == parent)
    if path != "/" { #expect(Folder.name(of: path) == name) }
  }
}
