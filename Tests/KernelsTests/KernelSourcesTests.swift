import Glibc
import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices) struct KernelSourcesTests {
  @Test func everyFileOfTheFolderIsEmbeddedAndNamesItsLines() throws {
    let files = listing(of: packageRoot + "/kernels").filter { $0.hasSuffix(".cl") }
    #expect(KernelSources.families.map { $0 + ".cl" } == files)
    for family in KernelSources.families {
      let text = try KernelSources.source(of: family)
      #expect(text.hasPrefix("#line 1 \"kernels/\(family).cl\"\n"), "\(family)")
      #expect(!text.contains("\n#include"), "\(family)")
    }
  }

  @Test func anIncludeIsPastedWithItsOwnLines() throws {
    let lines = try KernelSources.source(of: "reduce").split(
      separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex(of: "#line 1 \"kernels/common.cl\""))
    let original = try String(decoding: readFile(packageRoot + "/kernels/reduce.cl"), as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
    let includeLine = try #require(original.firstIndex(of: "#include \"common.cl\""))
    #expect(start == includeLine + 1)
    let back = try #require(lines.firstIndex(of: "#line \(includeLine + 2) \"kernels/reduce.cl\""))
    #expect(lines[(back + 1)...] == original[(includeLine + 1)...])
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func everyFamilyBuildsAlone() throws {
    // The large families take seconds to build: the usual cache saves them in later runs.
    let device = try FirstOpenCLDevice.open(cache: ProgramCache.folder())
    // A missing kernel is only found after the program was built.
    for family in KernelSources.families
    where ["kernel void", "kernel __attribute__"].contains(
      where: try KernelSources.source(of: family).contains)
    {
      let error = #expect(throws: KernelError.self) {
        try device.kernel("no_such_kernel", in: family, as: Kernel<Float>.self)
      }
      guard case .missingKernel("no_such_kernel", family, let known)? = error else {
        Issue.record("\(family): another error: \(String(describing: error))")
        continue
      }
      #expect(!known.isEmpty)
    }
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func aFolderReplacesKernelsWithoutARebuild() async throws {
    let folder = try ScratchFolder()
    let text = try String(decoding: readFile(packageRoot + "/kernels/columns.cl"), as: UTF8.self)
    let edited = text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.contains("to[i] = ") ? "  for (; i < width; i++) to[i] = 100 + from[i];" : String($0) }
    try writeFile(Array(edited.joined(separator: "\n").utf8), to: folder.file("columns.cl"))
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      setenv("NIBBLE_KERNELS", path, 1)
      let device = try FirstOpenCLDevice.open()
      let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32> =
        try device.kernel("copy_columns", in: "columns")
      let (from, to) = (device.allocate(3, of: .float32), device.allocate(3, of: .float32))
      device.write([1, 2, 3] as [Float], to: from)
      kernel(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(1))
      #expect(try device.read(to, as: Float.self) == [101, 102, 103])
      // Files that are not in the folder are the built-in ones.
      #expect(try KernelSources.source(of: "norm").contains("norm_forward"))
    }
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func aBuildErrorShowsOurFileAndLine() async throws {
    let folder = try ScratchFolder()
    let common = "// shared\nfloat twice(float x) { return 2 * x; }\n"
    let broken = """
      // columns.cl - with a mistake in line 6
      #include "common.cl"
      kernel __attribute__((reqd_work_group_size(1, 1, 1)))
      void copy_columns(global float *x) {
        x[0] = twice(x[0]);
        x[1] = no_such_name;
      }

      """
    try writeFile(Array(common.utf8), to: folder.file("common.cl"))
    try writeFile(Array(broken.utf8), to: folder.file("columns.cl"))
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      setenv("NIBBLE_KERNELS", path, 1)
      let device = try FirstOpenCLDevice.open()
      let error = kernelError {
        try device.kernel("copy_columns", in: "columns", ["WIDTH": "8"], as: Kernel<Buffer<Float>>.self)
      }
      guard case .buildFailed("columns", _, let options, let log)? = error else {
        Issue.record("another error: \(String(describing: error))")
        return
      }
      #expect(log.contains("kernels/columns.cl:6:"), "\(log)")
      #expect(log.contains("no_such_name"))
      #expect(log.contains("\n"), "the log keeps its lines")
      #expect(options.hasSuffix(" -D WIDTH=8"))
      #expect(error?.description.contains("cannot build the kernels of 'columns'") == true)
      #expect(error?.description.contains("NIBBLE_KERNELS") == true)
      // The device goes on.
      let memory = device.allocate(2, of: .float32)
      device.write([1, 2] as [Float], to: memory)
      #expect(try device.read(memory, as: Float.self) == [1, 2])
    }
  }

  @Test func aKernelFolderThatIsNoneIsAnError() async {
    await #expect(processExitsWith: .success) {
      setenv("NIBBLE_KERNELS", "/nowhere/kernels", 1)
      let error = kernelError { try KernelSources.source(of: "columns") }
      #expect(
        error?.description.hasPrefix("NIBBLE_KERNELS is '/nowhere/kernels', which is no folder\n") == true)
      setenv("NIBBLE_KERNELS", "", 1)
      let text = try KernelSources.source(of: "columns")
      #expect(text.contains("copy_columns"))
    }
  }
}
