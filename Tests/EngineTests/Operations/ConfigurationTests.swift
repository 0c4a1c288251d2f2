import Kernels
import Testing

@testable import Engine

/// The shapes of bandwidth-bound kernels on devices of either style and with small limits.
@Suite struct ConfigurationTests {
  private static func device(_ style: KernelStyle, workGroup: Int, localMemory: Int = 0) -> DeviceDescription
  {
    DeviceDescription(
      name: "x:0", product: "X", vendor: "X", driver: "1", isProcessor: false, kernelStyle: style,
      computeUnits: 4, memoryByteCount: 1 << 30, largestAllocation: 1 << 28,
      localMemoryByteCount: localMemory,
      largestWorkGroup: workGroup)
  }

  @Test func lanesArePowersOfTwoThatTheDeviceTakes() {
    #expect(Self.device(.graphics, workGroup: 1024).lanes(atMost: 128) == 128)
    #expect(Self.device(.graphics, workGroup: 100).lanes(atMost: 128) == 64)
    #expect(Self.device(.graphics, workGroup: 64).lanes(atMost: 256) == 64)
    #expect(Self.device(.graphics, workGroup: 1).lanes(atMost: 256) == 1)
    #expect(Self.device(.graphics, workGroup: 0).lanes(atMost: 256) == 1)
    #expect(Self.device(.processor, workGroup: 4096).lanes(atMost: 128) == 1)
  }

  @Test(arguments: KernelStyle.allCases, [1, 48, 64, 1024])
  func standardsFitAndReadBack(style: KernelStyle, workGroup: Int) {
    let device = Self.device(style, workGroup: workGroup)
    for length in [1, 128, 300, 50_257] {
      check(RowConfiguration.self, RowConfiguration.problem(length: length), on: device)
    }
    check(ElementwiseConfiguration.self, "any", on: device)
  }

  /// 16 work-items make a tile of 16 x 16, and each keeps 256 bytes of a solve.
  @Test(arguments: [(1024, 64, 32, 64), (100, 32, 32, 64), (16, 16, 16, 16), (1, 4, 4, 1)])
  func tilesOfChunksFitTheWorkGroup(workGroup: Int, tile: Int, ofSix: Int, items: Int) {
    let device = Self.device(.graphics, workGroup: workGroup, localMemory: 32 << 10)
    #expect(ChunkTiles(for: device).tile == tile && ChunkTiles(for: device, operands: 6).tile == ofSix)
    #expect(ChunkTiles(for: device).items == items)
  }

  @Test(arguments: [(16 << 10, 64, 64), (8 << 10, 32, 32), (2 << 10, 8, 8), (0, 4, 1)])
  func tilesOfChunksFitLocalMemory(byteCount: Int, tile: Int, items: Int) {
    let tiles = ChunkTiles(for: Self.device(.graphics, workGroup: 256, localMemory: byteCount))
    #expect(tiles.tile == tile && tiles.items == items)
  }

  private func check<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, _ problem: String, on device: DeviceDescription,
  ) {
    let standard = Configuration.standard(for: device, problem: problem)
    #expect(standard.fits(device))
    let candidates = Configuration.candidates(for: device, problem: problem)
    #expect(
      candidates.allSatisfy { $0.fits(device) == (($0.parameters["lanes"] ?? 0) <= device.largestWorkGroup) })
    for configuration in candidates + [standard] {
      #expect(Configuration(parameters: configuration.parameters) == configuration)
    }
  }

  @Test func parametersOutOfRangeAreRefused() {
    #expect(RowConfiguration(parameters: ["lanes": 48]) == nil)
    #expect(RowConfiguration(parameters: ["lanes": 0]) == nil)
    #expect(RowConfiguration(parameters: ["lanes": 64, "more": 1]) == nil)
    #expect(ElementwiseConfiguration(parameters: ["lanes": 64]) == nil)
    #expect(ElementwiseConfiguration(parameters: ["lanes": 64, "elements": 6]) == nil)
    #expect(ElementwiseConfiguration(parameters: ["lanes": 0, "elements": 4]) == nil)
  }

  @Test func severalItemsPerRowAreForGraphicsProcessors() {
    let processor = Self.device(.processor, workGroup: 4096)
    #expect(!RowConfiguration(lanes: 64).fits(processor))
    #expect(!ElementwiseConfiguration(lanes: 64, elements: 4).fits(processor))
  }
}
