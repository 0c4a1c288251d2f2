import Glibc
import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices) struct DeviceLimitsTests {
  private static let rich = DeviceDescription(
    name: "x:0", product: "X", vendor: "X", driver: "1", isProcessor: false, computeUnits: 4,
    memoryByteCount: 8 << 30, largestAllocation: 2 << 30, localMemoryByteCount: 65_536,
    largestWorkGroup: 1024,
    hasHalf: true, hasSubgroups: true)

  @Test func limitsLowerAndNeverRaise() throws {
    let poor = try #require(
      DeviceLimits("work_group=64,local_memory=32K,allocation=64M,memory=1G,half=0,subgroups=0"))
    let lowered = poor.applied(to: Self.rich)
    #expect(lowered.largestWorkGroup == 64)
    #expect(lowered.localMemoryByteCount == 32_768)
    #expect(lowered.largestAllocation == 64 << 20)
    #expect(lowered.memoryByteCount == 1 << 30)
    #expect(!lowered.hasHalf && !lowered.hasSubgroups)
    let high = try #require(DeviceLimits("work_group=4096,local_memory=1G,allocation=64G,memory=64G"))
    #expect(high.applied(to: Self.rich) == Self.rich)
    // One allocation is never larger than everything.
    #expect(DeviceLimits("memory=1M")?.applied(to: Self.rich).largestAllocation == 1 << 20)
  }

  @Test(arguments: [
    "", "work_group", "work_group=", "work_group=0", "work_group=-4", "work_group=6K", "local_memory=32k",
    "local_memory=99999999999G", "half=1", "warp=32", "work_group=64,", "work_group=64;half=0",
  ])
  func whatDoesNotReadIsRefused(text: String) {
    #expect(DeviceLimits(text) == nil)
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func anOpenDeviceHasTheLimits() async {
    await #expect(processExitsWith: .success) {
      setenv("NIBBLE_LIMITS", "work_group=8,local_memory=1K,allocation=1M", 1)
      let device = try FirstOpenCLDevice.open()
      #expect(device.description.largestWorkGroup == 8)
      _ = device.allocate(1 << 20, of: .float32)
      guard case .allocationTooLarge(_, 4_194_304, 1_048_576)? = kernelError({ try device.finish() }) else {
        Issue.record("an allocation over the limit was made")
        return
      }
      setenv("NIBBLE_LIMITS", "everything=0", 1)
      let error = kernelError { try DeviceCatalog.open("pocl:0") }
      #expect(
        error?.description.hasPrefix("NIBBLE_LIMITS is 'everything=0', not a list like work_group=64") == true
      )
    }
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func kernelsOverTheLimitsSayWhatDoesNotFit() async throws {
    let folder = try ScratchFolder()
    let source = """
      kernel __attribute__((reqd_work_group_size(16, 1, 1)))
      void copy_columns(global float *x) {
        local float scratch[512];
        scratch[get_local_id(0)] = x[get_local_id(0)];
        barrier(CLK_LOCAL_MEM_FENCE);
        x[get_local_id(0)] = scratch[15 - get_local_id(0)];
      }

      """
    try writeFile(Array(source.utf8), to: folder.file("columns.cl"))
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      setenv("NIBBLE_KERNELS", path, 1)
      for (limits, expected) in [
        ("work_group=8", "needs work-groups of 16 items"), ("local_memory=1K", "2048 bytes of local memory"),
      ] {
        setenv("NIBBLE_LIMITS", limits, 1)
        let device = try FirstOpenCLDevice.open()
        let memory = device.allocate(16, of: .float32)
        let kernel: Kernel<Buffer<Float>> = try device.kernel("copy_columns", in: "columns")
        kernel(Buffer(memory), over: .groups(1))
        let error = kernelError { try device.finish() }
        #expect(error?.description.contains(expected) == true, "\(limits): \(String(describing: error))")
        #expect(error?.description.contains("hint:") == true)
      }
    }
  }
}
