import Glibc
import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices) struct DeviceCatalogTests {
  @Test func namesAreStableAndUnique() {
    let names = DeviceCatalog.list().map(\.name)
    #expect(DeviceCatalog.list().map(\.name) == names)
    #expect(Set(names).count == names.count)
    #expect(names.last == "cpu")
    for name in names.dropLast() {
      let parts = name.split(separator: ":")
      #expect(parts.count == 2 && Int(parts[1]) != nil, "\(name)")
    }
  }

  @Test func describesEveryDevice() {
    for device in DeviceCatalog.list() {
      #expect(!device.product.isEmpty)
      #expect(device.computeUnits >= 1)
      #expect(device.memoryByteCount > 0)
      #expect(device.largestAllocation > 0 && device.largestAllocation <= device.memoryByteCount)
      #expect(device.largestWorkGroup >= 1)
    }
  }

  @Test func opensByNameAndByRow() throws {
    for (row, description) in DeviceCatalog.list().enumerated() {
      #expect(try DeviceCatalog.open(description.name).description.name == description.name)
      #expect(try DeviceCatalog.open("\(row)").description.name == description.name)
    }
  }

  @Test func theHostTakesItsThreads() throws {
    let host = try #require(try DeviceCatalog.open("cpu", threads: 3) as? HostDevice)
    #expect(host.threads.count == 3)
    #expect(host.description.computeUnits == 3)
  }

  @Test(arguments: ["gpu", "", "-1", "99", "cpu ", "POCL:0"])
  func anUnknownNameIsAnErrorThatHelps(name: String) {
    let error = #expect(throws: KernelError.self) { try DeviceCatalog.open(name) }
    guard case .noSuchDevice(let wanted, let available, let hint)? = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(wanted == name)
    #expect(available == DeviceCatalog.list().map(\.name))
    #expect(!hint.isEmpty)
    #expect(
      error?.description == """
        no device named '\(name)'
          available: \(available.joined(separator: ", "))
          hint: \(hint)
        """)
  }

  @Test func platformsHaveShortNames() {
    let names = [
      "Portable Computing Language": "pocl", "Intel(R) OpenCL": "intel", "NVIDIA CUDA": "nvidia",
      "AMD Accelerated Parallel Processing": "amd", "rusticl": "rusticl", "Oclgrind": "oclgrind",
      "My Own Platform 3": "myownplatfor", "...": "opencl",
    ]
    for (platform, name) in names { #expect(OpenCLPlatform.shortName(ofPlatform: platform) == name) }
  }

  @Test func theSearchHintNamesThePlace() async {
    #expect(DeviceCatalog.searchHint().contains("OpenCL drivers are looked up in"))
    await #expect(processExitsWith: .success) {
      setenv("OCL_ICD_VENDORS", "/nowhere", 1)
      #expect(DeviceCatalog.searchHint().contains("OCL_ICD_VENDORS=/nowhere"))
    }
  }

  @Test func withoutADriverTheHostIsTheDevice() async {
    await #expect(processExitsWith: .success) {
      setenv("OCL_ICD_VENDORS", "/nowhere", 1)
      unsetenv("NIBBLE_DEVICE")
      #expect(DeviceCatalog.list().map(\.name) == ["cpu"])
      let device = try DeviceCatalog.open(nil)
      #expect(device.description.name == "cpu")
      let error = kernelError { try DeviceCatalog.open("pocl:0") }
      #expect(error?.description.contains("/nowhere") == true)
    }
  }

  @Test func theEnvironmentNamesTheDevice() async {
    await #expect(processExitsWith: .success) {
      setenv("NIBBLE_DEVICE", "cpu", 1)
      setenv("NIBBLE_THREADS", "3", 1)
      let device = try DeviceCatalog.open(nil)
      #expect((device as? HostDevice)?.threads.count == 3)
      setenv("NIBBLE_DEVICE", "nowhere:7", 1)
      let error = kernelError { try DeviceCatalog.open(nil) }
      #expect(error?.description.hasPrefix("no device named 'nowhere:7'") == true)
      // A name that is given wins.
      let given = try DeviceCatalog.open("cpu")
      #expect(given.description.name == "cpu")
    }
  }
}
