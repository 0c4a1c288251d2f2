import Testing

@testable import Files

@Suite struct SafetensorsWriterTests {
  @Test func laysFilesOutLikeTheReferenceWriter() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    let names = [
      "b", "a", "\u{E9}", "e\u{301}", "Z", "a.b", "a_b", "layers.10", "layers.2", "\u{1F600}", "\u{FFEE}",
    ]
    let tensors = names.map { SafetensorsDeclaration($0, .float32, []) } + [.init("empty", .int64, [0, 3])]
    try SafetensorsWriter.write(path: path, tensors: tensors) { tensor in
      [UInt8](repeating: 0, count: tensor.type.byteCount(of: tensor.shape) ?? 0)
    }
    // The order of safetensors 0.8.0 for these names: by UTF-8 bytes, the empty I64 in front.
    let order = [
      "empty", "Z", "a", "a.b", "a_b", "b", "e\u{301}", "layers.10", "layers.2", "\u{E9}", "\u{FFEE}",
      "\u{1F600}",
    ]
    var end = 0
    var text = #"{"__metadata__":{"format":"pt"}"#
    for name in order {
      let size = name == "empty" ? 0 : 4
      let kind = name == "empty" ? #""I64","shape":[0,3]"# : #""F32","shape":[]"#
      text += ",\"\(name)\":{\"dtype\":\(kind),\"data_offsets\":[\(end),\(end + size)]}"
      end += size
    }
    text += "}"
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    let length = text.utf8.count
    let expected = [UInt8(length & 255), UInt8(length >> 8), 0, 0, 0, 0, 0, 0] + Array(text.utf8)
    #expect(try readBytes(path) == expected + [UInt8](repeating: 0, count: 44))
  }

  @Test func ranksTypesLikeTheReferenceWriter() throws {
    let scratch = try ScratchFolder()
    let tensors = SafetensorsType.allCases.shuffled().map {
      SafetensorsDeclaration("t.\($0.rawValue)", $0, [8])
    }
    let writer = try SafetensorsWriter(path: scratch.file("t"), tensors: tensors)
    let expected = """
      U64 I64 F64 C64 F32 U32 I32 BF16 F16 U16 I16 F8_E5M2FNUZ F8_E4M3FNUZ F8_E8M0 F8_E4M3 F8_E5M2 I8 U8 F6_E3M2 \
      F6_E2M3 F4 BOOL
      """
    #expect(writer.order.map(\.type.rawValue).joined(separator: " ") == expected)
  }

  @Test func roundTripsDataMetadataAndPieces() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init("half", .float16, [2, 3]), .init("brain", .bfloat16, [6]), .init("single", .float32, [3, 2]),
        .init("double", .float64, [6]), .init("codes", .uint8, [5]), .init("none", .float32, [0]),
      ], metadata: ["step": "7", "note": "ü\n\u{1}"])
    #expect(writer.order.map(\.name) == ["double", "none", "single", "brain", "half", "codes"])
    let values: [Float] = [0, 1, -2.5, 0.125, 300, -0.75]
    try writer.append("double", floats: values)
    try writer.append("single", floats: Array(values[..<2]))
    try writer.append("single", floats: [])
    try writer.append("single", floats: Array(values[2...]))
    try writer.append("brain", floats: values)
    try writer.append("half", floats: values)
    try writer.append("codes", bytes: [1, 2])
    try writer.append("codes", bytes: [3, 4, 5])
    #expect(!Folder.exists(path))
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["format": "pt", "step": "7", "note": "ü\n\u{1}"])
    for name in ["double", "single", "brain", "half"] { #expect(try file.floats(name) == values) }
    #expect(try file.bytes(of: "codes") == [1, 2, 3, 4, 5])
    #expect(try file.floats("none") == [])
    #expect(try file.entry("half").shape == [2, 3])
    let start = file.entries.map(\.byteRange.lowerBound).min()
    #expect(start.map { $0 % 8 } == 0)
  }

  @Test func writesTheSameBytesEveryTime() throws {
    let scratch = try ScratchFolder()
    let tensors = (0..<50).map { SafetensorsDeclaration("t\($0)", $0 % 3 == 0 ? .float32 : .bfloat16, [4]) }
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("k\($0)", "v") })
    for name in ["one", "two"] {
      try SafetensorsWriter.write(path: scratch.file(name), tensors: tensors.shuffled(), metadata: metadata) {
        tensor in
        [UInt8](repeating: 1, count: tensor.type == .float32 ? 16 : 8)
      }
    }
    #expect(try readBytes(scratch.file("one")) == readBytes(scratch.file("two")))
  }

  @Test func refusesWrongData() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    func makeWriter() throws -> SafetensorsWriter {
      try SafetensorsWriter(path: path, tensors: [.init("a", .float32, [2]), .init("b", .uint8, [2])])
    }
    func refuses(_ message: String, _ body: (SafetensorsWriter) throws -> Void) throws {
      let writer = try makeWriter()
      #expect {
        try body(writer)
      } throws: { error in
        error is SafetensorsError && "\(error)".contains(message)
      }
    }
    try refuses("'a' is due") { try $0.append("b", bytes: [1]) }
    try refuses("'a' is due") { try $0.append("c", floats: [1]) }
    try refuses("12 more bytes after 0, it has 8") { try $0.append("a", floats: [1, 2, 3]) }
    try refuses("4 of 8 bytes") {
      try $0.append("a", floats: [1])
      try $0.finish()
    }
    try refuses("0 of 2 bytes") {
      try $0.append("a", floats: [1, 2])
      try $0.finish()
    }
    try refuses("type is U8") {
      try $0.append("a", floats: [1, 2])
      try $0.append("b", floats: [1])
    }
    try refuses("all tensors are complete") {
      try $0.append("a", floats: [1, 2])
      try $0.append("b", bytes: [1, 2])
      try $0.append("b", bytes: [1])
    }
    #expect(scratch.names() == [])
  }

  @Test func refusesImpossibleDeclarations() throws {
    let scratch = try ScratchFolder()
    let path = scratch.file("t")
    for tensors: [SafetensorsDeclaration] in [
      [.init("a", .uint8, [1]), .init("a", .float32, [1])], [.init("__metadata__", .uint8, [1])],
      [.init("a", .fp4E2M1, [3])], [.init("a", .float32, [-1])], [.init("a", .float32, [1 << 62])],
      [
        .init("a", .uint8, [1 << 59]), .init("b", .float64, [1 << 56]), .init("c", .float64, [(1 << 60) - 1]),
      ],
    ] {
      #expect(throws: SafetensorsError.self) { try SafetensorsWriter(path: path, tensors: tensors) }
    }
    try write([1], to: path)
    #expect(throws: FileError.exists(path: path)) {
      try SafetensorsWriter(path: path, tensors: [], overwrite: false)
    }
    #expect(scratch.names() == ["t"])
  }
}
