import Glibc
import Testing

@testable import Files

@Suite struct AtomicFileTests {
  @Test func writesPiecesOfAnySizeInOrder() throws {
    let scratch = try ScratchFolder()
    let file = try AtomicFile(path: scratch.file("data"))
    var expected: [UInt8] = []
    for size in [0, 1, 1_000, 300_000, 7, 262_144, 3] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ size) }
      try file.append(bytes)
      expected += bytes
    }
    #expect(file.count == expected.count)
    #expect(!Folder.exists(scratch.file("data")))
    try file.finish()
    #expect(try readBytes(scratch.file("data")) == expected)
    #expect(scratch.names() == ["data"])
    #expect(throws: FileError.closed(path: scratch.file("data"))) { try file.append([1]) }
    #expect(throws: FileError.closed(path: scratch.file("data"))) { try file.finish() }
  }

  @Test func leavesNothingBehindWithoutFinish() throws {
    let scratch = try ScratchFolder()
    try write([1, 2], to: scratch.file("old"))
    do {
      let file = try AtomicFile(path: scratch.file("old"))
      try file.append([UInt8](repeating: 9, count: 1_000_000))
      #expect(scratch.names().count == 2)
    }
    #expect(scratch.names() == ["old"])
    #expect(try readBytes(scratch.file("old")) == [1, 2])
  }

  @Test func replacesOnlyWhenAsked() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("data")
    try AtomicFile.write([1], to: path, overwrite: false)
    #expect(throws: FileError.exists(path: path)) { try AtomicFile.write([2], to: path, overwrite: false) }
    #expect(try readBytes(path) == [1])
    try AtomicFile.write([3], to: path)
    #expect(try readBytes(path) == [3])
    #expect(scratch.names() == ["data"])
  }

  @Test func noticesATargetThatAppearsMeanwhile() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("data")
    let file = try AtomicFile(path: path, overwrite: false)
    try file.append([5])
    try write([1], to: path)
    #expect(throws: FileError.exists(path: path)) { try file.finish() }
    #expect(try readBytes(path) == [1])
    #expect(scratch.names() == ["data"])
  }

  @Test(.enabled(if: access("/dev/full", W_OK) == 0, "no /dev/full here"), arguments: [10, 1_000_000])
  func fullDiskIsAnErrorAndRemovesTheTemporaryFile(size: Int) throws {
    let scratch = try ScratchFolder()
    let temporary = scratch.file(".data.tmp")
    try write([], to: temporary)
    let file = try AtomicFile(
      path: scratch.file("data"), temporary: temporary, overwrite: true,
      descriptor: FileDescriptor(opening: "/dev/full", flags: O_WRONLY, for: "open"))
    #expect {
      try file.append([UInt8](repeating: 0, count: size))
      try file.finish()
    } throws: { error in
      guard case FileError.diskFull(let path, 0) = error else { return false }
      return path == scratch.file("data") && "\(error)".contains("disk or the quota is full")
    }
    #expect(scratch.names() == [])
    #expect(throws: FileError.closed(path: scratch.file("data"))) { try file.append([1]) }
  }

  @Test func namesAMissingFolder() throws {
    let scratch = try ScratchFolder()
    #expect {
      try AtomicFile(path: scratch.file("no/data"))
    } throws: { error in
      guard case FileError.missing = error else { return false }
      return true
    }
    #expect {
      try AtomicFile(path: scratch.path)
    } throws: { error in
      guard case FileError.wrongKind = error else { return false }
      return true
    }
  }
}

@Suite struct AtomicFolderTests {
  @Test func appearsAsAWhole() throws {
    let scratch = try ScratchFolder()
    let folder = try AtomicFolder(path: scratch.file("a/b/step-1/"))
    try AtomicFile.write([1], to: folder.temporaryPath + "/one")
    try Folder.create(folder.temporaryPath + "/sub/deep")
    try AtomicFile.write([2], to: folder.temporaryPath + "/sub/deep/two")
    #expect(!Folder.exists(scratch.file("a/b/step-1")))
    try folder.finish()
    #expect(try Folder.names(in: scratch.file("a/b")) == ["step-1"])
    #expect(try Folder.names(in: scratch.file("a/b/step-1")) == ["one", "sub"])
    #expect(try readBytes(scratch.file("a/b/step-1/sub/deep/two")) == [2])
    #expect(throws: FileError.closed(path: scratch.file("a/b/step-1"))) { try folder.finish() }
  }

  @Test func vanishesWithoutFinish() throws {
    let scratch = try ScratchFolder()
    do {
      let folder = try AtomicFolder(path: scratch.file("step"))
      try write([1], to: folder.temporaryPath + "/one")
    }
    #expect(scratch.names() == [])
  }

  @Test func replacesOnlyWhenAsked() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("step")
    for (value, overwrite) in [(UInt8(1), false), (2, true)] {
      let folder = try AtomicFolder(path: path, overwrite: overwrite)
      try write([value], to: folder.temporaryPath + "/file\(value)")
      try folder.finish()
    }
    #expect(try Folder.names(in: path) == ["file2"])
    #expect(scratch.names() == ["step"])
    #expect(throws: FileError.exists(path: path)) { try AtomicFolder(path: path) }
    try write([1], to: scratch.file("plain"))
    #expect(throws: FileError.wrongKind(path: scratch.file("plain"), expected: "a folder")) {
      try AtomicFolder(path: scratch.file("plain"), overwrite: true)
    }
  }

  @Test func noticesATargetThatAppearsMeanwhile() throws {
    let scratch = try ScratchFolder()
    let folder = try AtomicFolder(path: scratch.file("step"))
    try Folder.create(scratch.file("step"))
    try write([1], to: scratch.file("step/theirs"))
    #expect(throws: FileError.exists(path: scratch.file("step"))) { try folder.finish() }
    #expect(scratch.names() == ["step"])
    #expect(try Folder.names(in: scratch.file("step")) == ["theirs"])
  }

  @Test func removalDoesNotFollowLinks() throws {
    let scratch = try ScratchFolder()
    try Folder.create(scratch.file("keep"))
    try write([1], to: scratch.file("keep/file"))
    try Folder.create(scratch.file("go"))
    try #require(symlink(scratch.file("keep"), scratch.file("go/link")) == 0)
    try Folder.remove(scratch.file("go"))
    #expect(scratch.names() == ["keep"])
    #expect(try Folder.names(in: scratch.file("keep")) == ["file"])
  }
}

@Suite struct FolderLockTests {
  @Test func admitsOneHolderAndNamesIt() throws {
    let scratch = try ScratchFolder()
    do {
      let lock = try FolderLock(folder: scratch.path)
      #expect(lock.folder == scratch.path)
      #expect {
        try FolderLock(folder: scratch.path)
      } throws: { error in
        guard case FileError.locked(scratch.path, let holder) = error else { return false }
        return holder.hasPrefix("process \(getpid()) on ")
      }
    }
    #expect(scratch.names() == [])
    _ = try FolderLock(folder: scratch.path)
  }

  @Test func ignoresTheFileOfADeadHolder() throws {
    let scratch = try ScratchFolder()
    try write(
      Array("process 1 on elsewhere, and a longer line than ours will ever be\n".utf8),
      to: scratch.file(".nibble.lock"))
    let lock = try FolderLock(folder: scratch.path)
    let text = String(decoding: try readBytes(scratch.file(".nibble.lock")), as: UTF8.self)
    #expect(text.hasPrefix("process \(getpid()) on ") && text.filter { $0 == "\n" }.count == 1)
    #expect(!text.contains("elsewhere"))
    withExtendedLifetime(lock) {}
  }

  @Test func namesAMissingFolder() throws {
    let scratch = try ScratchFolder()
    #expect {
      try FolderLock(folder: scratch.file("no"))
    } throws: { error in
      guard case FileError.missing = error else { return false }
      return true
    }
  }
}
