import Engine
import Files
import Kernels
import Testing

/// Reference numbers of other implementations.
@Suite(.serialized, .exclusiveDevices) struct FixtureTests {
  /// The few that travel with the project.
  @Test func ownFixturesPass() throws {
    for device in try TestDevices.all() {
      let results = try FixtureFolders.run(FixtureFolders.own, on: device)
      #expect(results.count >= 30)
      for result in results {
        #expect(result.verdict == .passed, "\(result.name) on \(device.description.name): \(result.message)")
      }
    }
  }

  /// The whole collection beside the project; skipped where it is not there.
  @Test(
    .enabled(if: FixtureFolders.hasShared, "the folder ../shared/fixtures is not there"),
    arguments: [
      "attention", "transformer", "normalization", "optimizers", "models", "tokenizers", "linear_attention",
    ])
  func noSharedFixtureFails(area: String) throws {
    let isWhole = !["attention", "normalization", "optimizers"].contains(area)
    for device in try TestDevices.all() {
      let results = try FixtureFolders.run(FixtureFolders.shared + "/" + area, on: device)
      for result in results {
        let message = "\(result.name) on \(device.description.name): \(result.message)"
        #expect(result.verdict == .passed || !isWhole && result.verdict == .unsupported, "\(message)")
      }
      #expect(results.contains { $0.verdict == .passed }, "\(area): nothing was computed")
    }
  }

  /// Cases come in sorted order, whatever the file system says.
  @Test func itemsAreSorted() throws {
    let names = try FixtureRunner(FixtureFolders.own).items.map(\.name)
    #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    #expect(Set(names).count == names.count)
  }
}

/// That a fault in a fixture is seen: every test changes a copy of a fixture that passes.
@Suite(.serialized, .exclusiveDevices) struct FixtureFaultTests {
  @Test(arguments: ["output.output", "gradient.gate", "gradient.up"])
  func aWrongValueFails(tensor: String) throws {
    let result = try FixtureFolders.runChanged { $0.tensors[tensor]?[3] += 1e-3 }
    #expect(result.verdict == .failed)
    #expect(result.worst?.tensor == tensor)
    #expect(result.worst?.ratio ?? 0 > 1)
    #expect(result.message.contains(tensor) && result.message.contains("element 3"))
  }

  @Test func aValueThatIsNoNumberFails() throws {
    let result = try FixtureFolders.runChanged { $0.tensors["output.output"]?[0] = .nan }
    #expect(result.verdict == .failed)
    #expect(result.worst?.ratio == .infinity)
  }

  @Test func anUnchangedCopyPasses() throws {
    let result = try FixtureFolders.runChanged { _ in }
    #expect(result.verdict == .passed, "\(result.message)")
  }

  @Test func anUnknownOperationIsUnsupported() throws {
    let result = try FixtureFolders.runChanged { $0.metadata["op"] = "no_such_operation" }
    #expect(result.verdict == .unsupported)
    #expect(result.message.contains("no_such_operation"))
  }

  @Test func anOutputThatNothingComputesFails() throws {
    let result = try FixtureFolders.runChanged {
      $0.shapes["output.other"] = [2]
      $0.tensors["output.other"] = [1, 2]
    }
    #expect(result.verdict == .failed)
    #expect(result.message.contains("output.other"))
  }

  @Test func anInputThatIsMissingFails() throws {
    let result = try FixtureFolders.runChanged {
      $0.tensors["input.up"] = nil
      $0.tensors["gradient.up"] = nil
    }
    #expect(result.verdict == .failed)
    #expect(result.message.contains("input.up"))
  }

  @Test func shapesThatDoNotFitFail() throws {
    let result = try FixtureFolders.runChanged {
      $0.shapes["input.up"] = [2]
      $0.tensors["input.up"] = [1, 2]
    }
    #expect(result.verdict == .failed)
    #expect(result.message.contains("pointwise"))
  }

  @Test(arguments: ["op", "attributes", "rtol", "atol"])
  func missingMetadataFail(key: String) throws {
    let result = try FixtureFolders.runChanged { $0.metadata[key] = nil }
    #expect(result.verdict == .failed)
    #expect(result.message.contains("'\(key)'"))
  }

  @Test(arguments: [("rtol", "-1"), ("atol", "nan"), ("attributes", "[1]"), ("attributes", "{")])
  func badMetadataFail(key: String, value: String) throws {
    let result = try FixtureFolders.runChanged { $0.metadata[key] = value }
    #expect(result.verdict == .failed)
    #expect(result.message.contains(key))
  }

  @Test func anUnknownActivationIsAnErrorThatNamesTheKnownOnes() throws {
    let result = try FixtureFolders.runChanged { $0.metadata["attributes"] = #"{"activation": "maxout"}"# }
    #expect(result.verdict == .failed)
    #expect(result.message.contains("'activation'") && result.message.contains("relu_squared"))
  }

  @Test func aFixtureWithNothingToCompareFails() throws {
    let result = try FixtureFolders.runChanged { changed in
      for name in changed.tensors.keys where !name.hasPrefix("input.") { changed.tensors[name] = nil }
    }
    #expect(result.verdict == .failed)
  }

  @Test func aDamagedFileFails() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write([1, 2, 3], to: folder.path + "/swiglu__damaged.safetensors")
    let device = try DeviceCatalog.openForOperations("cpu")
    let results = try FixtureFolders.run(folder.path, on: device)
    #expect(results.map(\.verdict) == [.failed])
    #expect(results.first?.name == "swiglu__damaged")
  }

  @Test func anEmptyFolderIsAnError() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FixtureError.self) { try FixtureRunner(folder.path) }
    #expect(throws: (any Error).self) { try FixtureRunner(folder.path + "/missing") }
  }

  @Test func anUnknownArchitectureIsUnsupported() throws {
    let folder = try TemporaryFolder()
    let own = FixtureFolders.own + "/transformer/swiglu__gelu.safetensors"
    try AtomicFile.write(try FixtureFolders.bytes(own), to: folder.path + "/reference.safetensors")
    try JSON.object(["model_type": "no_such_model"]).write(to: folder.path + "/config.json")
    let results = try FixtureFolders.run(folder.path, on: DeviceCatalog.openForOperations("cpu"))
    #expect(results.map(\.verdict) == [.unsupported])
    #expect(results.first?.message.contains("no_such_model") == true)
  }

  @Test func aWrongTokenIsSeen() throws {
    let folder = try TemporaryFolder()
    let own = FixtureFolders.own + "/tokenizers/qwen2"
    try AtomicFile.write(
      try FixtureFolders.bytes(own + "/tokenizer.json"), to: folder.path + "/tokenizer.json")
    let line = #"{"text": "Hello world", "ids": [42, 1], "decoded": "Hello world"}"#
    try AtomicFile.write(Array(line.utf8), to: folder.path + "/cases.jsonl")
    let results = try FixtureFolders.run(folder.path, on: DeviceCatalog.openForOperations("cpu"))
    #expect(results.map(\.verdict) == [.failed])
    #expect(results.first?.message.contains("1 of 1 texts") == true)
  }
}
