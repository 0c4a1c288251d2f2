import Kernels

/// How kernels that reduce rows are launched (`rows.cl`): blocks of rows per work-group, lanes per row.
struct RowLaunch {
  let rows: Int
  let dim: Int
  let lanes: Int
  /// Rows of one work-group.
  let block: Int
  /// The macros of `rows.cl`.
  let definitions: [String: String]

  /// - Parameter block: Rows of one work-group where results depend on it; nil takes what suits the device.
  init(_ shape: Shape, block: Int? = nil, on device: OpenCLDevice) {
    rows = shape.rows
    dim = shape.last
    lanes =
      device.configuration(RowConfiguration.self, for: RowConfiguration.problem(length: shape.last)).lanes
    definitions = device.description.partDefinitions(lanes: lanes)
    // A processor's work-item hides its start behind some ten thousand elements.
    self.block = block ?? (device.description.kernelStyle == .processor ? max(1, 16_384 / shape.last) : 1)
  }

  var geometry: Geometry { .groups((rows + block - 1) / block) }
}

extension DeviceDescription {
  /// What `kernels/parts.cl` reads: vectors as wide as a processor's registers, where they pay.
  func partDefinitions(lanes: Int) -> [String: String] {
    ["LANES": "\(lanes)", "PART": "\(lanes > 1 ? 4 : nativeFloatWidth >= 16 ? 16 : 8)"]
  }
}
