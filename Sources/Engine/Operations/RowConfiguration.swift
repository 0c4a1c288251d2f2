public import Kernels

/// How many work-items share a row where rows are reduced: norms and cross-entropy.
public struct RowConfiguration: KernelConfiguration {
  public static let family = "rows"
  /// Work-items per row, a power of two; 1 on processors.
  public let lanes: Int

  public var parameters: [String: Int] { ["lanes": lanes] }

  public init(lanes: Int) { self.lanes = lanes }

  public init?(parameters: [String: Int]) {
    guard parameters.count == 1, let lanes = parameters["lanes"], lanes > 0, lanes <= 1024,
      lanes.nonzeroBitCount == 1
    else { return nil }
    self.init(lanes: lanes)
  }

  /// The class of rows of some length: narrow (heads), medium or wide.
  public static func problem(length: Int) -> String {
    length <= 128 ? "narrow" : length <= 512 ? "medium" : "wide"
  }

  /// Four columns for every item where rows are short; long rows are worth more items.
  ///
  /// - Parameter problem: What ``problem(length:)`` says.
  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    Self(lanes: device.lanes(atMost: problem == "narrow" ? 32 : problem == "medium" ? 64 : 128))
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    device.kernelStyle == .processor ? [Self(lanes: 1)] : [16, 32, 64, 128, 256].map { Self(lanes: $0) }
  }

  public func fits(_ device: DeviceDescription) -> Bool {
    lanes <= device.largestWorkGroup && (lanes == 1 || device.kernelStyle == .graphics)
  }
}
