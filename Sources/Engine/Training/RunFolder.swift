import Files
import Glibc

/// The folder of one training run: one process at a time.
///
/// `config.yaml`, `run.json`, `metrics.jsonl`, `log.txt`, TensorBoard events, and `checkpoints/step-000100/` with
/// `checkpoints/latest` and `checkpoints/best`.
public final class RunFolder {
  public let path: String
  private let lock: FolderLock

  /// Opens a run folder, making it when needed, and locks it.
  ///
  /// - Throws: ``FileError/locked(folder:holder:)`` when another process trains there.
  public init(_ path: String) throws {
    try Folder.create(path + "/checkpoints")
    lock = try FolderLock(folder: path)
    self.path = path
    try removeUnfinishedCheckpoints()
  }

  /// A process that was killed while it wrote a checkpoint leaves a hidden folder; the lock says nobody writes there.
  private func removeUnfinishedCheckpoints() throws {
    for name in try Folder.names(in: path + "/checkpoints")
    where name.hasPrefix(".") && name.hasSuffix(".tmp") {
      try Folder.remove(path + "/checkpoints/" + name)
    }
  }

  public static func isRun(_ path: String) -> Bool {
    Folder.exists(path + "/config.yaml") && Folder.isFolder(path + "/checkpoints")
  }

  public func checkpointPath(step: Int) -> String { path + "/checkpoints/" + RunFolder.name(step: step) }

  static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// Steps of the complete checkpoints, rising.
  public func checkpointSteps() throws -> [Int] {
    try Folder.names(in: path + "/checkpoints").compactMap { name in
      guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)) else { return nil }
      return step
    }.sorted()
  }

  /// Makes `checkpoints/<link>` point to the checkpoint of `step`, in one atomic replacement.
  public func point(_ link: String, to step: Int) throws {
    let target = RunFolder.name(step: step)
    let temporary = path + "/checkpoints/.\(link).new"
    unlink(temporary)
    guard symlink(target, temporary) == 0, rename(temporary, path + "/checkpoints/" + link) == 0 else {
      throw FileError.refused(operation: "link", path: path + "/checkpoints/" + link, code: errno)
    }
  }

  /// The step that `checkpoints/<link>` points to.
  public func step(of link: String) -> Int? {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = buffer.withUnsafeMutableBytes { buffer in
      buffer.baseAddress.map { readlink(path + "/checkpoints/" + link, $0, buffer.count) } ?? 0
    }
    guard length > 5 else { return nil }
    return Int(String(decoding: buffer[5..<length], as: UTF8.self))
  }

  /// Removes all but the last `count` checkpoints and the best one.
  public func prune(keeping count: Int) throws {
    let kept = Set([step(of: "best"), step(of: "latest")].compactMap { $0 })
    for step in try checkpointSteps().dropLast(max(1, count)) where !kept.contains(step) {
      try Folder.remove(checkpointPath(step: step))
    }
  }
}
