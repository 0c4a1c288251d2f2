public import Kernels

/// How elementwise kernels are cut into work-groups.
///
/// Processors take one work-item per block of `elements`; graphics processors `lanes` neighbouring items, each of
/// which takes four neighbouring elements at a time, `elements / 4` times.
public struct ElementwiseConfiguration: KernelConfiguration {
  public static let family = "elementwise"
  /// Work-items of a group.
  public let lanes: Int
  /// Elements of a work-item.
  public let elements: Int

  public var parameters: [String: Int] { ["lanes": lanes, "elements": elements] }

  public init(lanes: Int, elements: Int) {
    self.lanes = lanes
    self.elements = elements
  }

  public init?(parameters: [String: Int]) {
    guard parameters.count == 2, let lanes = parameters["lanes"], let elements = parameters["elements"],
      lanes > 0, elements >= 4, elements.isMultiple(of: 4), lanes <= 4096, elements <= 1 << 20
    else { return nil }
    self.init(lanes: lanes, elements: elements)
  }

  /// - Parameter problem: Without meaning: all elementwise kernels are alike.
  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    switch device.kernelStyle {
    // Large enough to hide the cost of starting a work-item.
    case .processor: Self(lanes: 1, elements: 4096)
    case .graphics: Self(lanes: device.lanes(atMost: 256), elements: 4)
    }
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    switch device.kernelStyle {
    case .processor: [1024, 4096, 16_384, 65_536].map { Self(lanes: 1, elements: $0) }
    case .graphics:
      [64, 128, 256].flatMap { lanes in [4, 8, 16].map { Self(lanes: lanes, elements: $0) } }
    }
  }

  public func fits(_ device: DeviceDescription) -> Bool {
    lanes <= device.largestWorkGroup && (lanes == 1 || device.kernelStyle == .graphics)
  }
}
