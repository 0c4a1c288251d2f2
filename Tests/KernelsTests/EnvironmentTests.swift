import Glibc
import Testing

@testable import Kernels

@Suite struct EnvironmentTests {
  /// Names in capitals that follow `prefix` in `text`.
  private func names(in text: some StringProtocol, after prefix: String) -> [String] {
    var found: [String] = []
    for line in text.split(separator: "\n") {
      var rest = line[...]
      while let start = rest.firstRange(of: prefix) {
        let name = rest[start.upperBound...].prefix { $0.isUppercase || $0.isNumber || $0 == "_" }
        if !name.isEmpty { found.append(String(name)) }
        rest = rest[start.upperBound...]
      }
    }
    return found
  }

  private func sources() throws -> [(path: String, text: String)] {
    var found: [(String, String)] = []
    var folders = [packageRoot + "/Sources"]
    while let folder = folders.popLast() {
      for name in listing(of: folder) {
        let path = folder + "/" + name
        if [".swift", ".c", ".h"].contains(where: { name.hasSuffix($0) }) {
          found.append((path, String(decoding: try readFile(path), as: UTF8.self)))
        } else {
          folders.append(path)
        }
      }
    }
    return found
  }

  @Test func theDocumentationListsEveryVariable() throws {
    let page = String(decoding: try readFile(packageRoot + "/docs/environment.md"), as: UTF8.self)
    let rows = page.split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("| `NIBBLE_") else { return nil }
      let name = line.dropFirst(3).prefix { $0 != "`" }
      return name.contains("<") ? nil : String(name)
    }
    #expect(rows.sorted() == EnvironmentVariable.allCases.map(\.rawValue).sorted())
  }

  @Test func nothingElseIsRead() throws {
    let page = String(decoding: try readFile(packageRoot + "/docs/environment.md"), as: UTF8.self)
    let sources = try sources()
    try #require(sources.count > 50)
    let ours = Set(EnvironmentVariable.allCases.map(\.rawValue))
    for (path, text) in sources {
      for name in names(in: text, after: "getenv(\"") {
        #expect(page.contains("`\(name)"), "\(path) reads \(name)")
        #expect(!name.hasPrefix("NIBBLE_"), "\(path) reads \(name) past EnvironmentVariable")
      }
      // Also tables of names, as in the configuration's list of variables that are no keys.
      for name in names(in: text, after: "\"NIBBLE_") where path.hasSuffix(".swift") {
        #expect(ours.contains("NIBBLE_" + name), "\(path) names NIBBLE_\(name)")
      }
    }
  }

  @Test func anEmptyVariableIsUnset() async {
    await #expect(processExitsWith: .success) {
      unsetenv("NIBBLE_DEVICE")
      #expect(EnvironmentVariable.device.value == nil)
      setenv("NIBBLE_DEVICE", "", 1)
      #expect(EnvironmentVariable.device.value == nil)
      setenv("NIBBLE_DEVICE", "cpu", 1)
      #expect(EnvironmentVariable.device.value == "cpu")
    }
  }

  @Test func threadsThatAreNoNumberAreAnError() async {
    await #expect(processExitsWith: .success) {
      for text in ["many", "0", "-2", "2.5"] {
        setenv("NIBBLE_THREADS", text, 1)
        let error = kernelError { try DeviceCatalog.open("cpu") }
        #expect(error?.description.hasPrefix("NIBBLE_THREADS is '\(text)', not a positive number") == true)
        // A number that is given wins.
        let device = try DeviceCatalog.open("cpu", threads: 2)
        #expect(device.description.computeUnits == 2)
      }
      setenv("NIBBLE_THREADS", "5", 1)
      let device = try DeviceCatalog.open("cpu")
      #expect(device.description.computeUnits == 5)
    }
  }
}
