import Configuration
import Engine
import Files
import Glibc
import Kernels

/// `run.json`: what was called, with which program, on which device, on which data, from when to when.
///
/// A resumed run adds an entry to `calls`; the older ones stay.
struct RunRecord {
  private let path: String
  private var object: JSONObject
  private var entry: JSONObject
  private var earlier: [JSON]

  init(
    folder: String, arguments: [String], revision: SourceRevision?, device: DeviceDescription,
    values: RunConfiguration, dataHash: String, firstStep: Int,
  ) throws {
    path = folder + "/run.json"
    let known = Folder.exists(path) ? try JSON.read(path) : .null
    earlier = known["calls"]?.arrayValue ?? []
    object = [
      "schema": 1, "program": "nibble", "seed": .integer(Int64(values.seed)),
      "data": ["path": .string(values.data.name ?? ""), "sha256": .string(dataHash)],
    ]
    entry = [
      "command": .array((["nibble"] + arguments).map { .string($0) }), "version": .string(Program.version),
      "revision": revision.map { .string($0.commit) } ?? .null,
      "modified": revision.map { .bool($0.isModified) } ?? .null,
      "device": .string(device.name), "product": .string(device.product), "vendor": .string(device.vendor),
      "driver": .string(device.driver), "opencl_c": device.languageVersion.map { .string($0) } ?? .null,
      "blas": .string(BLAS.version), "host": .string(RunRecord.host()),
      "threads": .integer(Int64(HostThreads.defaultCount)), "first_step": .integer(Int64(firstStep)),
      "start": .string(Timestamp.iso(Call.wallTime())), "end": nil, "last_step": nil, "outcome": "running",
    ]
  }

  func write() throws {
    var whole = object
    whole["calls"] = .array(earlier + [.object(entry)])
    try JSON.object(whole).write(to: path)
  }

  mutating func end(_ outcome: String, step: Int) throws {
    entry["end"] = .string(Timestamp.iso(Call.wallTime()))
    entry["last_step"] = .integer(Int64(step))
    entry["outcome"] = .string(outcome)
    try write()
  }

  /// System and machine, `Linux 6.1.0 x86_64`.
  private static func host() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
  }
}
