import Engine
import Files
import Kernels
import Testing

@Suite(.serialized, .exclusiveDevices) struct ModelInitializationTests {
  /// SHA-256 over all parameters' bits in file order.
  private func hash(_ model: any LanguageModel) throws -> String {
    var bytes: [UInt8] = []
    for parameter in model.parameters.parameters {
      for value in try model.parameters.device.read(parameter.memory, as: Float.self) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
      }
    }
    return SHA256.hexadecimal(of: bytes)
  }

  private func cpu() throws -> any OperationDevice { try DeviceCatalog.openForOperations("cpu") }

  /// A change of these bits changes every run that anybody repeats from its seed.
  @Test(arguments: [
    (TinyModel.llama, "be056576abaca2325005c8e417fa0fa6a6edd8f86587ff0c59b6032400337588"),
    (TinyModel.qwen3, "c2a83f3897f871a28dd7499864f5401719241583c6954f990811c52302b07a4c"),
    (TinyModel.gpt2, "40bf4d051c55e043b790cda91e722ba99118cb2f2e2d605afae9758192b4b7f3"),
  ])
  func bitsArePinned(model: TinyModel, expected: String) throws {
    let made = try ModelInitialization.make(model.configuration(), seed: 42, on: cpu(), trains: false)
    let found = try hash(made)
    #expect(found == expected, "\(found)")
  }

  @Test func aParameterDependsOnSeedAndNameOnly() throws {
    func values(_ layers: Int, seed: UInt64, _ name: String) throws -> [Float] {
      let device = try cpu()
      let model = try ModelInitialization.make(
        TinyModel.llama.configuration(layers: layers), seed: seed, on: device, trains: layers == 3)
      return try device.read(#require(model.parameters[name]).memory, as: Float.self)
    }
    let name = "model.layers.1.self_attn.q_proj.weight"
    let some = try values(2, seed: 1, name)
    #expect(try values(3, seed: 1, name) == some)
    #expect(try values(2, seed: 2, name) != some)
    #expect(try values(2, seed: 1, "model.layers.0.self_attn.q_proj.weight") != some)
  }

  @Test func gainsAreOneBiasesZeroAndResidualWritersSmaller() throws {
    let device = try cpu()
    for kind in [TinyModel.llamaTiedWithBiases, .qwen3, .gpt2] {
      var configuration = kind.configuration(layers: 8)
      configuration.vocabularySize = 400
      let model = try ModelInitialization.make(configuration, seed: 9, on: device, trains: false)
      for parameter in model.parameters.parameters {
        let values = try device.read(parameter.memory, as: Float.self)
        if parameter.name.hasSuffix(".bias") {
          #expect(values.allSatisfy { $0 == 0 }, "\(parameter.name)")
        } else if parameter.shape.rank == 1 {
          #expect(values.allSatisfy { $0 == 1 }, "\(parameter.name)")
        } else {
          let writes = ["o_proj", "down_proj", ".c_proj"].contains { parameter.name.contains($0) }
          let expected = 0.3 / (writes ? 4 : 1)
          let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(values.count)
          // Five deviations of an estimate from this many values.
          let bound = 5 / Double(2 * values.count).squareRoot()
          #expect(abs(square.squareRoot() / expected - 1) < bound, "\(parameter.name)")
        }
      }
    }
  }

  @Test func everyDeviceStartsFromTheSameBits() throws {
    let hashes = try TestDevices.all().map { device in
      try hash(ModelInitialization.make(TinyModel.qwen3.configuration(), seed: 1, on: device, trains: true))
    }
    #expect(Set(hashes).count == 1)
  }
}
