import Files
import Glibc

/// Runs a body with a new folder, which is removed afterwards.
func withTemporaryFolder(_ body: (String) throws -> Void) throws {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array((base + "/nibble-tokenizers-XXXXXX").utf8CString)
  guard mkdtemp(&template) != nil else {
    throw FileError.refused(operation: "create", path: base, code: errno)
  }
  let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer { try? Folder.remove(folder) }
  try body(folder)
}
