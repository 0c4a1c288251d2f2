import Engine
import Files
import Glibc
import Kernels

/// Where fixtures are, and changed copies of one.
enum FixtureFolders {
  /// The package's folder: this file lies three folders below it.
  private static let package = {
    var path = Substring(#filePath)
    for _ in 0..<4 { path = path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }
    return String(path)
  }()

  static let own = package + "/Tests/Fixtures"
  static let shared = package + "/../shared/fixtures"
  static var hasShared: Bool { Folder.isFolder(shared) }

  static func run(_ path: String, on device: any OperationDevice) throws -> [FixtureResult] {
    Array(try FixtureRunner(path).results(on: device))
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    try MappedFile(path: path).withBytes { bytes in
      var copy: [UInt8] = []
      for index in bytes.indices { copy.append(bytes[index]) }
      return copy
    }
  }

  /// The content of a fixture with float tensors, to be changed.
  struct Content {
    var metadata: [String: String]
    var shapes: [String: [Int]]
    var tensors: [String: [Float]]
  }

  /// Runs a changed copy of a SwiGLU fixture on the host.
  static func runChanged(_ change: (inout Content) -> Void) throws -> FixtureResult {
    let file = try SafetensorsFile(path: own + "/transformer/swiglu__gelu.safetensors")
    var content = Content(metadata: file.metadata, shapes: [:], tensors: [:])
    for entry in file.entries {
      content.shapes[entry.name] = entry.shape
      content.tensors[entry.name] = try file.floats(entry.name)
    }
    change(&content)
    let folder = try TemporaryFolder()
    let path = folder.path + "/swiglu__changed.safetensors"
    let declarations = content.tensors.keys.sorted().map { name in
      SafetensorsDeclaration(name, .float32, content.shapes[name] ?? [])
    }
    let writer = try SafetensorsWriter(path: path, tensors: declarations, metadata: content.metadata)
    for declaration in writer.order {
      try writer.append(declaration.name, floats: content.tensors[declaration.name] ?? [])
    }
    try writer.finish()
    let results = try run(path, on: DeviceCatalog.openForOperations("cpu"))
    return results[0]
  }
}

/// A folder of its own for one test, removed at the end.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/nibble-fixtures-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw FileError.refused(operation: "create", path: "/tmp", code: errno)
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? Folder.remove(path) }
}
