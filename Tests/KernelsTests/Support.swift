import Glibc
import Testing

@testable import Kernels

/// The package's folder, found from this file.
let packageRoot: String = {
  var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  parts.removeLast(3)
  return parts.joined(separator: "/")
}()

/// Runs a test while no other test of this process uses devices.
///
/// PoCL 3.1 is not safe against several contexts at work at once. The lock is one of the program's own file, so that it
/// holds across test modules, which share nothing else.
struct ExclusiveDevices: TestTrait, SuiteTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void,
  ) async throws {
    let descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 { try await Task.sleep(for: .milliseconds(2)) }
    try await function()
  }
}

extension Trait where Self == ExclusiveDevices {
  static var exclusiveDevices: ExclusiveDevices { ExclusiveDevices() }
}

/// The first OpenCL device of the machine.
enum FirstOpenCLDevice {
  static var exists: Bool { !OpenCLPlatform.candidates().isEmpty }

  /// - Parameter folder: Where kernel binaries are kept; nil keeps none, so that programs are always built.
  static func open(cache folder: String? = nil) throws -> OpenCLDevice {
    let candidate = try #require(OpenCLPlatform.candidates().first)
    return try OpenCLDevice(
      candidate, binaries: ProgramCache(device: candidate.description, folder: folder))
  }
}

/// The error that `body` throws, for tests in processes of their own; nil when it throws none of ours.
func kernelError<Result>(_ body: () throws -> Result) -> KernelError? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? KernelError
  }
}

/// A folder of its own for one test, removed at the end.
final class ScratchFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/nibble-kernels-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(made)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in listing(of: path) {
      if rmdir(path + "/" + name) != 0 { unlink(path + "/" + name) }
    }
    rmdir(path)
  }

  func file(_ name: String) -> String { path + "/" + name }
}

/// Names in a folder, sorted; empty when there is none.
func listing(of path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

func writeFile(_ bytes: [UInt8], to path: String) throws {
  let file = try #require(fopen(path, "wb"))
  defer { fclose(file) }
  try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
}

func readFile(_ path: String) throws -> [UInt8] {
  let file = try #require(fopen(path, "rb"), "cannot open \(path)")
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
  return bytes
}
