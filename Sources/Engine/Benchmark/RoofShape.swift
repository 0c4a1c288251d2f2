import Kernels

/// How the kernels of `roof.cl` are shaped.
struct RoofShape {
  /// Work-items of a group.
  let group: Int
  /// Floats of a value.
  let vector: Int

  /// The shapes worth trying on a device; the best one counts.
  ///
  /// They follow what the device is, not the style of its kernels: a roof belongs to the hardware.
  static func all(for description: DeviceDescription) -> [RoofShape] {
    guard description.isProcessor else {
      return [RoofShape(group: 64, vector: 1), RoofShape(group: 64, vector: 4)]
    }
    let width = description.nativeFloatWidth
    return [RoofShape(group: 1, vector: width >= 16 ? 16 : width >= 8 ? 8 : 4)]
  }

  var definitions: [String: String] { ["GROUP": "\(group)", "VECTOR": "\(vector)"] }
}
