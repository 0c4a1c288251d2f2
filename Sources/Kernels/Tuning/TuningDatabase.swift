/// A family and a class of its problems.
public struct TuningKey: Hashable, Sendable {
  public let family: String
  public let problem: String

  public init(family: String, problem: String) {
    self.family = family
    self.problem = problem
  }

  /// As people name it: `matmul/nt large`.
  public var name: String { family + "/" + problem }
}

/// The best configurations that were measured, by device.
///
/// A JSON file: `{"schema": 1, "entries": [{"family", "problem", "device", "architecture", "parameters": {...},
/// "gflops", "standard_gflops", "date"}]}`. The user's file lies on top of the shipped one.
public struct TuningDatabase: Sendable {
  /// One measured choice.
  public struct Entry: Sendable, Hashable {
    public var key: TuningKey
    /// ``DeviceDescription/exactKey``.
    public var device: String
    /// ``DeviceDescription/architectureKey``.
    public var architecture: String
    public var parameters: [String: Int]
    /// Speed of this choice and of the family's standard in the same run, in GFLOP/s.
    public var gflops: Double
    public var standardGflops: Double
    /// The day of the measurement, `2026-11-21`.
    public var date: String

    public init(
      key: TuningKey, device: String, architecture: String, parameters: [String: Int], gflops: Double,
      standardGflops: Double, date: String,
    ) {
      self.key = key
      self.device = device
      self.architecture = architecture
      self.parameters = parameters
      self.gflops = gflops
      self.standardGflops = standardGflops
      self.date = date
    }
  }

  public private(set) var entries: [Entry]

  public init(entries: [Entry] = []) { self.entries = entries }

  /// Entries for a device, best match first: exactly this device, then its architecture; of equals the later one in
  /// ``entries``, so that a user's entry beats a shipped one.
  public func candidates(for key: TuningKey, on device: DeviceDescription) -> [Entry] {
    let ours = entries.reversed().filter { $0.key == key }
    return ours.filter { $0.device == device.exactKey }
      + ours.filter { $0.device != device.exactKey && $0.architecture == device.architectureKey }
  }

  /// Adds an entry in place of one for the same key and device.
  public mutating func set(_ entry: Entry) {
    entries.removeAll { $0.key == entry.key && $0.device == entry.device }
    entries.append(entry)
  }

  /// Removes the entry for exactly this key and device.
  ///
  /// - Returns: Whether there was one.
  public mutating func remove(_ key: TuningKey, device: String) -> Bool {
    let count = entries.count
    entries.removeAll { $0.key == key && $0.device == device }
    return entries.count < count
  }

  /// This database with another one's entries on top.
  public func overlaid(with other: TuningDatabase) -> TuningDatabase {
    other.entries.reduce(into: self) { $0.set($1) }
  }
}
