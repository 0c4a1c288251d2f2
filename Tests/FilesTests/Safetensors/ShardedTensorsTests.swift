import Testing

@testable import Files

@Suite struct ShardedTensorsTests {
  private func writeShard(_ scratch: ScratchFolder, _ name: String, _ tensors: [String]) throws {
    try SafetensorsWriter.write(
      path: scratch.file(name), tensors: tensors.map { .init($0, .uint8, [1]) }
    ) { [UInt8($0.name.utf8.count)] }
  }

  private func writeIndex(_ scratch: ScratchFolder, _ map: JSON) throws {
    try (["metadata": ["total_size": 3], "weight_map": map] as JSON).write(
      to: scratch.file("model.safetensors.index.json"))
  }

  private func shards() throws -> ScratchFolder {
    let scratch = try ScratchFolder()
    try writeShard(scratch, "model-1.safetensors", ["a", "bb"])
    try writeShard(scratch, "model-2.safetensors", ["ccc"])
    try writeIndex(
      scratch, ["a": "model-1.safetensors", "bb": "model-1.safetensors", "ccc": "model-2.safetensors"])
    return scratch
  }

  @Test func looksUpOverAllShards() throws {
    let scratch = try shards()
    let model = try ShardedTensors(folder: scratch.path + "/")
    #expect(model.entries.map(\.name) == ["a", "bb", "ccc"])
    #expect(try model.integers("ccc") == [3])
    #expect(try model.floats("bb") == [2])
    #expect(try model.doubles("a") == [1])
    #expect(try model.bytes(of: "a") == [1])
    #expect(try model.entry("ccc").shape == [1])
    #expect(try model.file(holding: "ccc").path == scratch.file("model-2.safetensors"))
    #expect(model.contains("a") && !model.contains("d"))
    #expect(throws: SafetensorsError.self) { try model.floats("d") }
  }

  @Test func opensASingleFile() throws {
    let scratch = try ScratchFolder()
    try writeShard(scratch, "model.safetensors", ["a"])
    #expect(try ShardedTensors(folder: scratch.path).integers("a") == [1])
  }

  @Test func namesWhatIsMissing() throws {
    let empty = try ScratchFolder()
    #expect {
      try ShardedTensors(folder: empty.path)
    } throws: { error in
      "\(error)".contains("model.safetensors") && "\(error)".contains("is empty")
    }
    let scratch = try shards()
    try Folder.remove(scratch.file("model-2.safetensors"))
    #expect {
      try ShardedTensors(folder: scratch.path)
    } throws: { error in
      guard case ShardError.missingShard(_, "model-2.safetensors", _) = error else { return false }
      return "\(error)".contains("model-1.safetensors")
    }
  }

  @Test func everyTensorMustBeWhereTheIndexSays() throws {
    let scratch = try shards()
    let index = scratch.file("model.safetensors.index.json")
    let (one, two) = (JSON.string("model-1.safetensors"), JSON.string("model-2.safetensors"))
    try writeIndex(scratch, ["a": one, "bb": two, "ccc": two])
    #expect(throws: ShardError.unlistedTensor(index: index, tensor: "bb", file: "model-1.safetensors")) {
      try ShardedTensors(folder: scratch.path)
    }
    try writeIndex(scratch, ["a": one, "bb": one, "ccc": two, "d": two])
    #expect(throws: ShardError.missingTensor(index: index, tensor: "d", file: "model-2.safetensors")) {
      try ShardedTensors(folder: scratch.path)
    }
    try writeShard(scratch, "model-2.safetensors", ["ccc", "a"])
    try writeIndex(scratch, ["a": one, "bb": one, "ccc": two])
    #expect(throws: ShardError.unlistedTensor(index: index, tensor: "a", file: "model-2.safetensors")) {
      try ShardedTensors(folder: scratch.path)
    }
  }

  @Test(arguments: [
    "../model-1.safetensors", "/etc/x.safetensors", "sub/model-1.safetensors", "..", "", ".safetensors",
    "model-1.bin",
    "..\\x.safetensors", "a\u{0}.safetensors", ".hidden.safetensors",
  ]) func refusesPathsInTheIndex(name: String) throws {
    let scratch = try shards()
    try writeIndex(scratch, ["a": .string(name)])
    #expect {
      try ShardedTensors(folder: scratch.path)
    } throws: { error in
      guard case ShardError.unsafeName(_, "a", _) = error else { return false }
      return true
    }
  }

  @Test(arguments: [#"{}"#, #"{"weight_map":[]}"#, #"[]"#])
  func refusesAnIndexWithoutMap(text: String) throws {
    let scratch = try ScratchFolder()
    let index = scratch.file("model.safetensors.index.json")
    try write(Array(text.utf8), to: index)
    #expect(throws: ShardError.noWeightMap(index: index)) { try ShardedTensors(folder: scratch.path) }
  }

  @Test(
    .enabled(if: Fixtures.exists("fixtures/models/qwen3_tiny_sharded"), "the shared fixtures are missing"))
  func readsAShardedModel() throws {
    let folder = Fixtures.path("fixtures/models/qwen3_tiny_sharded")
    let model = try ShardedTensors(folder: folder)
    #expect(model.files.count == 3)
    let index = try JSON.read(folder + "/model.safetensors.index.json")
    #expect(model.entries.count == index["weight_map"]?.objectValue?.count)
    let total = model.entries.reduce(0) { $0 + $1.byteRange.count }
    #expect(total == index["metadata"]?["total_size"]?.integerValue)
    for entry in model.entries {
      let values = try model.floats(entry.name)
      #expect(values.count == entry.elementCount)
      #expect(values.allSatisfy(\.isFinite) && values.contains { $0 != 0 })
    }
  }

  @Test(
    .enabled(if: Fixtures.exists("fixtures/models"), "the shared fixtures are missing"),
    arguments: ["gpt2_tiny", "llama_legacy_config_bf16", "llama_tiny", "mamba2_tiny", "olmo_hybrid_tiny"])
  func rewritesModelsByteForByte(name: String) throws {
    let path = Fixtures.path("fixtures/models/\(name)/model.safetensors")
    let source = try SafetensorsFile(path: path)
    let scratch = try ScratchFolder()
    let tensors = source.entries.map { SafetensorsDeclaration($0.name, $0.type, $0.shape) }
    try SafetensorsWriter.write(path: scratch.file("t"), tensors: tensors, metadata: source.metadata) {
      try source.bytes(of: $0.name)
    }
    #expect(try readBytes(scratch.file("t")) == readBytes(path))
  }
}
