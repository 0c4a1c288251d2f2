import Testing

@testable import Files

/// A safetensors file from a header text and data.
func safetensorsBytes(_ header: String, dataSize: Int) -> [UInt8] {
  let length = UInt64(header.utf8.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
    + (0..<dataSize).map { UInt8(truncatingIfNeeded: $0) }
}

@Suite struct SafetensorsFileTests {
  private func open(_ bytes: [UInt8], _ scratch: ScratchFolder) throws -> SafetensorsFile {
    try write(bytes, to: scratch.file("t"))
    return try SafetensorsFile(path: scratch.file("t"))
  }

  @Test func readsEntriesMetadataAndBytes() throws {
    let scratch = try ScratchFolder()
    let header = """
      {"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},"__metadata__":{"format":"pt"},\
      "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}
      """
    let file = try open(safetensorsBytes(header, dataSize: 7), scratch)
    #expect(file.metadata == ["format": "pt"])
    #expect(file.entries.map(\.name) == ["b", "a", "e"])
    #expect(try file.entry("a").shape == [])
    #expect(try file.entry("a").elementCount == 1)
    #expect(try file.entry("e").elementCount == 0)
    #expect(try file.bytes(of: "b") == [4, 5, 6])
    #expect(try file.withBytes(of: "b") { $0[2] } == 6)
    #expect(try file.integers("b") == [4, 5, 6])
    #expect(try file.doubles("e") == [])
    #expect(file.contains("a") && !file.contains("c"))
    #expect {
      try file.floats("c")
    } throws: { error in
      guard case SafetensorsError.noSuchTensor(_, "c", let examples) = error else { return false }
      return examples == ["b", "a", "e"]
    }
  }

  @Test func readsAFileWithoutTensors() throws {
    let scratch = try ScratchFolder()
    #expect(try open(safetensorsBytes("{}      ", dataSize: 0), scratch).entries.isEmpty)
  }

  @Test func knowsTheSizeOfEveryType() throws {
    let scratch = try ScratchFolder()
    for type in SafetensorsType.allCases {
      let size = type.bitCount
      let header = "{\"t\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[2,4],\"data_offsets\":[0,\(size)]}}"
      let file = try open(safetensorsBytes(header, dataSize: size), scratch)
      #expect(try file.entry("t").type == type)
      #expect(try file.entry("t").elementCount == 8)
      #expect(type.byteCount(of: [2, 4]) == size)
    }
    #expect(SafetensorsType.fp4E2M1.byteCount(of: [3]) == nil)
    #expect(SafetensorsType.fp6E2M3.byteCount(of: [4]) == 3)
    #expect(SafetensorsType.fp6E2M3.byteCount(of: [6]) == nil)
    #expect(SafetensorsType.float32.byteCount(of: [1 << 40, 1 << 40]) == nil)
    #expect(SafetensorsType.float64.byteCount(of: [1 << 60]) == nil)
    #expect(SafetensorsType.float32.byteCount(of: [-1]) == nil)
  }

  @Test(arguments: [
    (#"{"a":1}"#, "an integer, not an object"), (#"{"a":{}}"#, "no string 'dtype'"),
    (#"{"a":{"dtype":4}}"#, "no string 'dtype'"), (#"{"a":{"dtype":"F31"}}"#, "'F31'"),
    (#"{"a":{"dtype":"F32"}}"#, "'shape' must"), (#"{"a":{"dtype":"F32","shape":[1.0]}}"#, "'shape' must"),
    (#"{"a":{"dtype":"F32","shape":[-1]}}"#, "'shape' must"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, "'data_offsets'"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "'data_offsets'"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "'data_offsets'"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, "'data_offsets'"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, "it ends at 12, the data at 8"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "needs 12 bytes, the entry has 8"),
    (#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, "no whole number of bytes"),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
      "no whole number of bytes"
    ),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}}"#, "'shape' must"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      "'a' begins at 4, the tensor before it ends at 0"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
      "'b' begins at 4, the tensor before it ends at 5"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "need 4 bytes, the file has 8"),
    (#"{}"#, "need 0 bytes, the file has 8"),
    (#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{}}"#, "twice"),
    (#"{"__metadata__":{"n":1},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#, "'n' is an integer"),
    (#"{"__metadata__":[],"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#, "is an array"),
    (#" {"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#, "does not begin with '{'"),
    (#"[]"#, "does not begin with '{'"), (#""#, "does not begin with '{'"), (#"{"a":"#, "expected a value"),
  ]) func rejectsBrokenHeaders(header: String, message: String) throws {
    let scratch = try ScratchFolder()
    #expect {
      try open(safetensorsBytes(header, dataSize: 8), scratch)
    } throws: { error in
      error is SafetensorsError && "\(error)".contains(message) && "\(error)".contains(scratch.file("t"))
    }
  }

  @Test func rejectsImpossibleHeaderLengths() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    #expect(throws: SafetensorsError.tooShort(path: path, size: 7)) {
      try open([1, 2, 3, 4, 5, 6, 7], scratch)
    }
    #expect(throws: SafetensorsError.tooShort(path: path, size: 0)) { try open([], scratch) }
    let huge = [UInt8](repeating: 0xFF, count: 8) + [0x7B, 0x7D]
    #expect(throws: SafetensorsError.headerTooLong(path: path, length: .max, limit: 2)) {
      try open(huge, scratch)
    }
    #expect(throws: SafetensorsError.headerTooLong(path: path, length: 3, limit: 2)) {
      try open([3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D], scratch)
    }
    #expect(SafetensorsHeader.lengthLimit == 100_000_000)
  }

  @Test func convertsEveryNumericType() throws {
    let scratch = try ScratchFolder()
    let floats: [Float] = [0, -1.5, 3, 65_504]
    let cases: [(SafetensorsType, [UInt8], [Double])] = [
      (.float64, SafetensorsWriter.encode(floats) { Double($0).bitPattern }, floats.map(Double.init)),
      (.float32, SafetensorsWriter.encode(floats) { $0.bitPattern }, floats.map(Double.init)),
      (.float16, SafetensorsWriter.encode(floats, HalfPrecision.float16), floats.map(Double.init)),
      (.bfloat16, SafetensorsWriter.encode([1.5, -2, 0, 256], HalfPrecision.bfloat16), [1.5, -2, 0, 256]),
      (.int8, [0, 255, 127, 128], [0, -1, 127, -128]), (.uint8, [0, 255, 127, 128], [0, 255, 127, 128]),
      (.bool, [0, 1, 1, 0], [0, 1, 1, 0]),
      (.int16, [0xFF, 0xFF, 0, 0x80, 1, 0, 0, 1], [-1, -32_768, 1, 256]),
      (.uint16, [0xFF, 0xFF, 0, 0x80, 1, 0, 0, 1], [65_535, 32_768, 1, 256]),
      (.int32, SafetensorsWriter.encode([-1, 0, 7, 8]) { Int32($0) }, [-1, 0, 7, 8]),
      (.uint32, SafetensorsWriter.encode([1, 0, 7, 8]) { UInt32($0) }, [1, 0, 7, 8]),
      (.int64, SafetensorsWriter.encode([-1, 0, 7, 8]) { Int64($0) }, [-1, 0, 7, 8]),
      (.uint64, SafetensorsWriter.encode([1, 0, 7, 8]) { UInt64($0) }, [1, 0, 7, 8]),
    ]
    for (type, bytes, expected) in cases {
      // An odd header length puts the data at an odd address.
      let header =
        "{\"t\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[4],\"data_offsets\":[0,\(bytes.count)]}}"
      let padded = header + String(repeating: " ", count: header.utf8.count % 2 == 0 ? 1 : 0)
      let file = try open(safetensorsBytes(padded, dataSize: 0) + bytes, scratch)
      #expect(try file.doubles("t") == expected, "\(type)")
      #expect(try file.floats("t") == expected.map { Float($0) }, "\(type)")
      if expected.allSatisfy({ $0 == $0.rounded() }),
        ![.float64, .float32, .float16, .bfloat16].contains(type)
      {
        #expect(try file.integers("t") == expected.map { Int32($0) }, "\(type)")
      } else {
        #expect(throws: SafetensorsError.self) { try file.integers("t") }
      }
    }
  }

  @Test func refusesInexactAndForeignConversions() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    func file(_ type: SafetensorsType, _ bytes: [UInt8]) throws -> SafetensorsFile {
      let shape = bytes.count * 8 / type.bitCount
      let header =
        "{\"t\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[0,\(bytes.count)]}}"
      return try open(safetensorsBytes(header, dataSize: 0) + bytes, scratch)
    }
    let big = try file(.int32, [1, 0, 0, 0, 1, 0, 0, 1])
    #expect(
      throws: SafetensorsError.inexact(path: path, tensor: "t", index: 1, value: "16777217", to: "Float")
    ) { try big.floats("t") }
    #expect(try big.doubles("t") == [1, 16_777_217])
    #expect(throws: SafetensorsError.self) {
      try file(.int64, [0, 0, 0, 0x80, 0, 0, 0, 0]).integers("t")
    }
    #expect(throws: SafetensorsError.self) { try file(.int64, [1, 0, 0, 0, 0, 0, 0x20, 0]).doubles("t") }
    #expect(throws: SafetensorsError.self) {
      try file(.uint64, [UInt8](repeating: 255, count: 8)).doubles("t")
    }
    #expect(throws: SafetensorsError.self) { try file(.bool, [2]).integers("t") }
    #expect(throws: SafetensorsError.notConvertible(path: path, tensor: "t", type: .fp8E4M3, to: "Float")) {
      try file(.fp8E4M3, [1]).floats("t")
    }
    #expect(throws: SafetensorsError.notConvertible(path: path, tensor: "t", type: .fp4E2M1, to: "Double")) {
      try file(.fp4E2M1, [1]).doubles("t")
    }
  }

  @Test func mutatedFilesNeverTrap() throws {
    let scratch = try ScratchFolder()
    let header = """
      {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},\
      "b":{"dtype":"I64","shape":[2],"data_offsets":[16,32]},"c":{"dtype":"BF16","shape":[3],"data_offsets":[32,38]}}
      """
    let valid = safetensorsBytes(header, dataSize: 38)
    let interesting = Array("0123456789{}[]\",:-eFIBU".utf8) + [0x00, 0x80, 0xFF]
    var generator = SeededGenerator(17)
    var accepted = 0
    for _ in 0..<fuzzCount {
      var bytes = valid
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = interesting.randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<5, using: &generator) {
        case 0...2: bytes[place] = byte
        case 3: bytes.insert(byte, at: place)
        default:
          bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &generator)))
        }
        if bytes.isEmpty { bytes = [byte] }
      }
      do {
        let file = try open(bytes, scratch)
        accepted += 1
        for entry in file.entries {
          #expect(try file.bytes(of: entry.name).count == entry.byteRange.count)
          _ = try? file.doubles(entry.name)
          _ = try? file.integers(entry.name)
        }
        #expect(file.entries.reduce(0) { $0 + $1.byteRange.count } <= bytes.count - 10)
      } catch {
        #expect(error is SafetensorsError && "\(error)".contains("hint:"))
      }
    }
    // Changes in names, metadata and data leave a valid file.
    #expect(accepted > fuzzCount / 100 && accepted < fuzzCount)
  }
}
