import Glibc
import Testing

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
