import Testing

@testable import Files

@Suite struct EventFileTests {
  /// Payloads of all whole records.
  private func payloads(_ path: String) throws -> [[UInt8]] {
    let file = try MappedFile(path: path)
    var offset = 0
    var result: [[UInt8]] = []
    while let payload = try TensorFlowRecord.payload(at: offset, of: file) {
      result.append(payload)
      offset += payload.count + TensorFlowRecord.overhead
    }
    #expect(offset == file.count)
    return result
  }

  @Test func writesTheBytesOfTheFormat() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("events")
    let events = try EventFile(path: path, wallTime: 1)
    try events.append(step: 300, wallTime: 2, [.init("loss", 0.5)])
    let one: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
    let two: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0x00, 0x40]
    let value: [UInt8] = [0x0A, 4] + Array("loss".utf8) + [0x15, 0, 0, 0, 0x3F]
    let version = one + [0x1A, 13] + Array("brain.Event:2".utf8)
    let scalars = two + [0x10, 0xAC, 0x02, 0x2A, 13, 0x0A, 11] + value
    #expect(try payloads(path) == [version, scalars])
    let bytes = try readBytes(path)
    #expect(Array(bytes[0..<8]) == [24, 0, 0, 0, 0, 0, 0, 0])
    #expect(bytes.count == version.count + scalars.count + 32)
  }

  @Test func continuesAnExistingFile() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("events")
    for step in 0..<3 {
      let events = try EventFile(path: path, wallTime: 1)
      #expect(events.discardedByteCount == 0)
      try events.append(step: step, wallTime: 2, [.init("a", .nan), .init("b", Float(step))])
      try events.synchronize()
    }
    #expect(try payloads(path).count == 4)
  }

  @Test func cutsOffATornRecordAtAnyPlace() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("events")
    do {
      let events = try EventFile(path: path, wallTime: 1)
      for step in 0..<2 { try events.append(step: step, wallTime: 2, [.init("loss", 1)]) }
    }
    let whole = try readBytes(path)
    let records = try payloads(path)
    let lastStart = whole.count - (records[2].count + TensorFlowRecord.overhead)
    for end in lastStart..<whole.count {
      try write(Array(whole[..<end]), to: path)
      let events = try EventFile(path: path, wallTime: 1)
      #expect(events.discardedByteCount == end - lastStart)
      try events.append(step: 1, wallTime: 2, [.init("loss", 1)])
      #expect(try readBytes(path) == whole)
    }
    for end in 1..<40 {
      try write(Array(whole[..<end]), to: path)
      _ = try EventFile(path: path, wallTime: 1)
      #expect(try payloads(path) == [records[0]])
    }
  }

  @Test func refusesOtherFilesAndDamage() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("events")
    do {
      let events = try EventFile(path: path, wallTime: 1)
      for step in 0..<3 { try events.append(step: step, wallTime: 2, [.init("loss", 1)]) }
    }
    let whole = try readBytes(path)
    var damaged = whole
    damaged[60] ^= 1
    try write(damaged, to: path)
    #expect(throws: EventFileError.damaged(path: path, offset: 40)) { try EventFile(path: path, wallTime: 1) }
    #expect(try readBytes(path) == damaged)
    try write(TensorFlowRecord.framed([1, 2, 3]), to: path)
    #expect(throws: EventFileError.notAnEventFile(path: path)) { try EventFile(path: path, wallTime: 1) }
    let prose = Array(String(repeating: "this is my diary. ", count: 9).utf8)
    try write(prose, to: path)
    #expect(throws: EventFileError.damaged(path: path, offset: 0)) { try EventFile(path: path, wallTime: 1) }
    #expect(try readBytes(path) == prose)
    try write(Array("tiny".utf8), to: path)
    #expect(throws: EventFileError.notAnEventFile(path: path)) { try EventFile(path: path, wallTime: 1) }
    #expect(try readBytes(path) == Array("tiny".utf8))
  }

  @Test func namesFilesAsTensorBoardSortsThem() {
    #expect(EventFile.fileName(startedAt: 1_700_000_000, host: "box") == "events.out.tfevents.1700000000.box")
    #expect(EventFile.fileName(startedAt: 5, host: "box") == "events.out.tfevents.0000000005.box")
  }
}
