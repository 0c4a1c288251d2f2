public import Kernels

/// Where the time of a training step went, added up over its layers.
///
/// FLOPs and bytes are those of the operations (``Operation/cost(_:_:)``). Launches of one operation share them, so
/// rates stand with the operation; a kernel has rates for the operations of which it is the only launch.
public struct StepProfile: Sendable {
  /// Executions of one operation at one place.
  public struct OperationRow: Sendable {
    public let operation: String
    /// The scope without the layers' numbers: `mlp`, `mixer.backward`, `head`, `optimizer`.
    public let place: String
    /// What it launched, in order of first use; empty on the host.
    public fileprivate(set) var kernels: [String] = []
    public fileprivate(set) var work = Timed()
  }

  /// Launches of one kernel.
  public struct KernelRow: Sendable {
    public let kernel: String
    public let family: String
    public fileprivate(set) var calls = 0
    public fileprivate(set) var seconds = 0.0
    /// The operations that launched nothing but this kernel.
    public fileprivate(set) var alone = Timed()
  }

  /// Executions with their time and work.
  public struct Timed: Sendable, Hashable {
    public fileprivate(set) var calls = 0
    /// On the device's clock; on the host's where operations run there.
    public fileprivate(set) var seconds = 0.0
    public fileprivate(set) var cost = Cost(flops: 0, bytes: 0)

    fileprivate mutating func add(_ seconds: Double, _ work: DeviceProfile.Work) {
      calls += 1
      self.seconds += seconds
      cost.flops += work.flops
      cost.bytes += work.bytes
    }
  }

  /// Falling by time.
  public let operations: [OperationRow]
  /// Falling by time; empty on the host.
  public let kernels: [KernelRow]
  /// Time per kernel family, falling; per operation on the host.
  public let families: [(name: String, seconds: Double)]
  /// Nil on the host.
  public let queue: QueueProfile?

  /// Time at work: of all commands, or of all operations on the host.
  public var seconds: Double { families.reduce(0) { $0 + $1.seconds } }

  /// Work of all operations.
  public var cost: Cost {
    operations.reduce(into: Cost(flops: 0, bytes: 0)) {
      $0.flops += $1.work.cost.flops
      $0.bytes += $1.work.cost.bytes
    }
  }

  public init(_ profile: DeviceProfile) {
    queue = QueueProfile(profile)
    let isHost = profile.commands.isEmpty
    var operations = Groups<Place, OperationRow>()
    var kernels = Groups<String, KernelRow>()
    var families = Groups<String, Double>()
    var commands = [[DeviceProfile.Command]](repeating: [], count: profile.works.count)
    for command in profile.commands {
      if let work = command.work { commands[work].append(command) }
      families.change(command.family, from: 0) { $0 += command.device.seconds }
      guard command.kind == .kernel else { continue }
      kernels.change(command.name, from: KernelRow(kernel: command.name, family: command.family)) {
        $0.calls += 1
        $0.seconds += command.device.seconds
      }
    }
    // Without the time of all its commands an operation would look faster than it is.
    for (index, (work, commands)) in zip(profile.works, commands).enumerated()
    where !profile.incompleteWorks.contains(index) {
      let seconds =
        isHost ? work.host.seconds : commands.reduce(0) { $0 + $1.device.seconds }
      let place = Place(work)
      operations.change(place, from: OperationRow(operation: place.operation, place: place.place)) { row in
        row.work.add(seconds, work)
        for command in commands where command.kind == .kernel && !row.kernels.contains(command.name) {
          row.kernels.append(command.name)
        }
      }
      if isHost { families.change(work.operation, from: 0) { $0 += seconds } }
      guard let only = commands.first, commands.count == 1, only.kind == .kernel else { continue }
      kernels.change(only.name, from: KernelRow(kernel: only.name, family: only.family)) {
        $0.alone.add(seconds, work)
      }
    }
    self.operations = operations.values.sorted { $0.work.seconds > $1.work.seconds }
    self.kernels = kernels.values.sorted { $0.seconds > $1.seconds }
    self.families = families.pairs.map { ($0, $1) }.sorted { $0.1 > $1.1 }
  }

  /// What executions have in common that are added up.
  private struct Place: Hashable {
    let operation: String
    let place: String

    init(_ work: DeviceProfile.Work) {
      operation = work.operation
      let parts = work.scope.split(separator: ".").map(String.init)
      var kept: [String] = []
      for (index, part) in parts.enumerated() {
        // `layers.3.mlp`: the number says which of many alike.
        let isNumber = part.allSatisfy { $0.isNumber } && index > 0
        if isNumber { kept.removeLast() } else { kept.append(part) }
      }
      place = kept.joined(separator: ".")
    }
  }
}

/// Values by key in the order of first use.
private struct Groups<Key: Hashable, Value> {
  private(set) var values: [Value] = []
  private var keys: [Key] = []
  private var positions: [Key: Int] = [:]

  var pairs: [(Key, Value)] { Array(zip(keys, values)) }

  mutating func change(_ key: Key, from first: @autoclosure () -> Value, _ body: (inout Value) -> Void) {
    let position: Int
    if let known = positions[key] {
      position = known
    } else {
      position = values.count
      positions[key] = position
      keys.append(key)
      values.append(first())
    }
    body(&values[position])
  }
}
