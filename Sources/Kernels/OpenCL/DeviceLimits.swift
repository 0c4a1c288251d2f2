/// Limits that are lower than a device's own, from `NIBBLE_LIMITS`: what a poorer device would do can be seen here.
///
/// `work_group=64,local_memory=32K,allocation=64M,memory=512M`, each of them optional; bytes take `K`, `M` and `G`
/// (powers of 1024). `half=0` and `subgroups=0` hide what the device has. Nothing is ever raised: a limit above the
/// device's own changes nothing.
struct DeviceLimits: Equatable, Sendable {
  private(set) var workGroup = Int.max
  private(set) var localMemory = Int.max
  private(set) var allocation = Int.max
  private(set) var memory = Int.max
  private(set) var hidesHalf = false
  private(set) var hidesSubgroups = false

  static let expected =
    "a list like work_group=64,local_memory=32K,allocation=64M,memory=512M,half=0,subgroups=0"

  /// Nil for a text with an unknown name or an impossible value.
  init?(_ text: String) {
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard sides.count == 2, set(sides[0], sides[1]) else { return nil }
    }
  }

  private mutating func set(_ name: String, _ value: String) -> Bool {
    if name == "half" || name == "subgroups" {
      guard value == "0" else { return false }
      if name == "half" { hidesHalf = true } else { hidesSubgroups = true }
      return true
    }
    guard let number = name == "work_group" ? Int(value) : Self.bytes(value), number > 0 else { return false }
    switch name {
    case "work_group": workGroup = number
    case "local_memory": localMemory = number
    case "allocation": allocation = number
    case "memory": memory = number
    default: return false
    }
    return true
  }

  private static func bytes(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    guard let last = text.last, let unit = units[last] else { return Int(text) }
    guard let number = Int(text.dropLast()) else { return nil }
    let product = number.multipliedReportingOverflow(by: unit)
    return product.overflow ? nil : product.partialValue
  }

  func applied(to device: DeviceDescription) -> DeviceDescription {
    var lowered = device
    lowered.largestWorkGroup = min(device.largestWorkGroup, workGroup)
    lowered.localMemoryByteCount = min(device.localMemoryByteCount, localMemory)
    lowered.memoryByteCount = min(device.memoryByteCount, memory)
    lowered.largestAllocation = min(device.largestAllocation, allocation, memory)
    lowered.hasHalf = device.hasHalf && !hidesHalf
    lowered.hasSubgroups = device.hasSubgroups && !hidesSubgroups
    return lowered
  }
}
