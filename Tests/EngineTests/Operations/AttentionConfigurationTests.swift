import Engine
import Glibc
import Kernels
import Testing

@Suite(.serialized, .exclusiveDevices) struct AttentionConfigurationTests {
  /// A device of a style with little local memory and small work-groups.
  private func device(
    _ style: KernelStyle, localMemory: Int = 32_768, largestWorkGroup: Int = 64, vector: Int = 8,
  ) -> DeviceDescription {
    DeviceDescription(
      name: "poor:0", product: "", vendor: "", driver: "", isProcessor: style == .processor,
      kernelStyle: style, computeUnits: 4, memoryByteCount: 1 << 30, largestAllocation: 1 << 28,
      localMemoryByteCount: localMemory, largestWorkGroup: largestWorkGroup,
      nativeFloatWidth: vector)
  }

  private static let problems = ["d32", "d64", "d96", "d128", "d192", "d256"]

  private func checkStandard<Configuration: KernelConfiguration>(_ type: Configuration.Type) {
    for style in KernelStyle.allCases {
      for problem in Self.problems {
        for description in [
          device(style), device(style, largestWorkGroup: 1024), device(style, largestWorkGroup: 16),
          device(style, localMemory: 24_576, largestWorkGroup: 256), device(style, vector: 4),
          device(style, vector: 16),
        ] {
          let standard = type.standard(for: description, problem: problem)
          #expect(standard.fits(description), "\(type) \(problem) \(style) \(standard.parameters)")
          #expect(type.init(parameters: standard.parameters) == standard)
          if let vector = standard.parameters["vector"] {
            #expect(vector == (description.nativeFloatWidth >= 16 ? 16 : 8))
          }
        }
      }
    }
  }

  @Test func standardsFitPoorDevices() {
    checkStandard(AttentionForwardConfiguration.self)
    checkStandard(AttentionBackwardConfiguration.self)
    checkStandard(AttentionDecodeConfiguration.self)
  }

  private func checkCandidates<Configuration: KernelConfiguration>(_ type: Configuration.Type) {
    for device in [device(.processor), device(.processor, vector: 16), device(.graphics)] {
      for problem in Self.problems {
        let candidates = type.candidates(for: device, problem: problem)
        #expect((6...21).contains(candidates.count), "\(type) \(problem) \(device): \(candidates.count)")
        #expect(Set(candidates).count == candidates.count)
        for candidate in candidates { #expect(type.init(parameters: candidate.parameters) == candidate) }
      }
    }
  }

  @Test func candidatesAreFewAndReadable() {
    checkCandidates(AttentionForwardConfiguration.self)
    checkCandidates(AttentionBackwardConfiguration.self)
    checkCandidates(AttentionDecodeConfiguration.self)
  }

  @Test(arguments: [
    ["rows": 20, "keys": 24, "vector": 8], ["rows": 24, "keys": 24], ["rows": 24], ["keys": 12], [:],
    ["rows": 24, "keys": 24, "lanes": 8], ["rows": 24, "keys": 24, "vector": 16],
    ["rows": 32, "keys": 12, "vector": 16], ["rows": 96, "keys": 24, "vector": 4],
    ["rows": 30, "columns": 32, "group": 64, "lanes": 8, "depth": 32, "held": 0],
    ["rows": 64, "columns": 64, "group": 64, "lanes": 8, "depth": 32, "held": 0],
    ["rows": 32, "columns": 32, "group": 64, "lanes": 6, "depth": 32, "held": 0],
  ])
  func sizesThatKernelsCannotWorkWithAreRefused(parameters: [String: Int]) {
    #expect(AttentionForwardConfiguration(parameters: parameters) == nil)
    #expect(AttentionBackwardConfiguration(parameters: parameters) == nil)
    #expect(AttentionDecodeConfiguration(parameters: parameters) == nil)
  }

  /// Odd lengths and widths, groups of heads, a window.
  private func sample(queryTime: Int) -> Sample {
    let options = AttentionOptions(scale: 0.3, isCausal: true, windowLeft: 66)
    return Sample(
      "configurations", Attention(options, returnsEntropy: true),
      [.init([1, queryTime, 4, 20]), .init([1, 75, 2, 20]), .init([1, 75, 2, 12])],
      gradients: [0, 1, 2], differentiableOutputs: [0])
  }

  private func check<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, queryTime: Int, on device: OpenCLDevice,
  ) throws {
    let check = try OperationCheck(sample(queryTime: queryTime))
    for style in KernelStyle.allCases {
      var description = device.description
      description.kernelStyle = style
      let candidates = type.candidates(for: description, problem: "d32")
      // Each candidate is a program to build, some seconds the first time: the quick run takes every sixth.
      let step = getenv("NIBBLE_LONG_TESTS") == nil ? 6 : 1
      for candidate in stride(from: 0, to: candidates.count, by: step).map({ candidates[$0] }) {
        // The kernels follow the configuration, whatever the device's own style is.
        device.setConfiguration(candidate, for: "d32")
        let result = check.run(on: device)
        #expect(result.passes, "\(type) \(candidate.parameters): \(result.problems)")
      }
    }
    device.setConfiguration(type.standard(for: device.description, problem: "d32"), for: "d32")
  }

  /// Blocks so small that rows and keys take several, with widths that are no whole tiles.
  @Test(arguments: [["rows": 48, "keys": 24, "vector": 8], ["rows": 64, "keys": 24, "vector": 16]])
  func bothVectorsAreRight(parameters: [String: Int]) throws {
    let forward = try #require(AttentionForwardConfiguration(parameters: parameters))
    let backward = try #require(AttentionBackwardConfiguration(parameters: parameters))
    let telling: Set = ["causal t49 d12 groups", "everything", "d80"]
    let samples = Attention.samples.filter { telling.contains($0.label) }
    try #require(samples.count == telling.count)
    for case let device as OpenCLDevice in try TestDevices.all() {
      for problem in Self.problems {
        device.setConfiguration(forward, for: problem)
        device.setConfiguration(backward, for: problem)
      }
      for sample in samples + [sample(queryTime: 70)] {
        let result = try OperationCheck(sample).run(on: device)
        #expect(result.passes, "\(parameters), \(sample.label): \(result.problems)")
      }
      for problem in Self.problems {
        let shown = device.description
        device.setConfiguration(
          AttentionForwardConfiguration.standard(for: shown, problem: problem), for: problem)
        device.setConfiguration(
          AttentionBackwardConfiguration.standard(for: shown, problem: problem), for: problem)
      }
    }
  }

  @Test func candidatesAreRight() throws {
    for case let device as OpenCLDevice in try TestDevices.all() {
      try check(AttentionForwardConfiguration.self, queryTime: 37, on: device)
      try check(AttentionBackwardConfiguration.self, queryTime: 37, on: device)
      try check(AttentionDecodeConfiguration.self, queryTime: 3, on: device)
    }
  }
}
