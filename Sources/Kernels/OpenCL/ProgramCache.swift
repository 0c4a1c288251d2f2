import Files
import Glibc

/// Kernel binaries on disk, so that a second start does not compile.
///
/// One file per program: a header line, the SHA-256 of the payload, the payload. The file's name is the SHA-256 of
/// source, options, device, driver, platform and this program's cache version. Files are written beside and renamed;
/// anything that does not read back exactly is ignored and written anew.
struct ProgramCache {
  /// Change it when the layout of files or the meaning of build options changes.
  static let version = 1
  private static let magic = "nibble program cache 1\n"

  private let folder: String?
  private let deviceKey: String

  /// - Parameter folder: Where the files are; nil keeps none.
  init(device: DeviceDescription, folder: String?) {
    deviceKey = [
      device.name, device.product, device.vendor, device.driver, device.languageVersion ?? "",
      "v\(ProgramCache.version)",
    ].joined(separator: "\n")
    self.folder = folder
  }

  /// `NIBBLE_CACHE`, or `$XDG_CACHE_HOME/nibble`, or `~/.cache/nibble`; nil when it is `off`.
  static func folder() -> String? {
    if let value = EnvironmentVariable.cache.value { return value == "off" ? nil : value + "/kernels" }
    let home = getenv("HOME").map { String(cString: $0) }
    let base = getenv("XDG_CACHE_HOME").map { String(cString: $0) } ?? home.map { $0 + "/.cache" }
    return base.map { $0 + "/nibble/kernels" }
  }

  func entry(source: String, options: String) -> Entry? {
    guard let folder else { return nil }
    let key = SHA256.hexadecimal(of: Array((deviceKey + "\n" + options + "\n" + source).utf8))
    return Entry(folder: folder, path: folder + "/" + key + ".bin")
  }

  struct Entry {
    let folder: String
    let path: String

    /// The binary, nil when absent or damaged.
    func load() -> [UInt8]? {
      guard access(path, R_OK) == 0, let file = try? MappedFile(path: path) else { return nil }
      guard let bytes = try? file.bytes(in: 0..<file.count) else { return nil }
      let magic = Array(ProgramCache.magic.utf8)
      let start = magic.count + 64
      guard bytes.count > start, bytes.starts(with: magic) else { return nil }
      let payload = Array(bytes[start...])
      let digest = String(decoding: bytes[magic.count..<start], as: UTF8.self)
      return SHA256.hexadecimal(of: payload) == digest ? payload : nil
    }

    /// A cache that cannot be written is not an error: the next start compiles again.
    func store(_ binary: [UInt8]) {
      let digest = SHA256.hexadecimal(of: binary)
      do {
        try Folder.create(folder)
        try AtomicFile.write(Array(ProgramCache.magic.utf8) + Array(digest.utf8) + binary, to: path)
      } catch {
        EnvironmentVariable.note(1, "kernel binary not cached: \(error)")
      }
    }
  }
}
