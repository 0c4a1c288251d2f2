public import Kernels

/// How the matrix product runs: register tiles and panels on processors, local-memory tiles or a few rows at a time
/// on graphics processors.
public enum MatMulConfiguration: KernelConfiguration {
  /// `matmul.cl`: processors, every class of problems.
  case panels(MatMulPanels)
  /// `matmul_tiled.cl`: graphics processors, all but skinny problems.
  case tiles(MatMulTiles)
  /// `matmul_skinny.cl`: graphics processors, ``MatMulClass/skinnyNT``.
  case skinnyRows(MatMulSkinnyRows)
  /// `matmul_skinny.cl`: graphics processors, ``MatMulClass/skinnyNN``.
  case skinnyColumns(MatMulSkinnyColumns)

  public static let family = "matmul"

  public var parameters: [String: Int] {
    switch self {
    case .panels(let panels): panels.parameters
    case .tiles(let tiles): tiles.parameters
    case .skinnyRows(let skinny): skinny.parameters
    case .skinnyColumns(let skinny): skinny.parameters
    }
  }

  /// The names of the parameters tell the case.
  public init?(parameters: [String: Int]) {
    if let panels = MatMulPanels(parameters: parameters) {
      self = .panels(panels)
    } else if let tiles = MatMulTiles(parameters: parameters) {
      self = .tiles(tiles)
    } else if let skinny = MatMulSkinnyRows(parameters: parameters) {
      self = .skinnyRows(skinny)
    } else if let skinny = MatMulSkinnyColumns(parameters: parameters) {
      self = .skinnyColumns(skinny)
    } else {
      return nil
    }
  }

  /// - Parameter problem: A raw value of ``MatMulClass``.
  public static func standard(for device: DeviceDescription, problem: String) -> Self {
    let problem = MatMulClass(rawValue: problem)
    return switch (device.kernelStyle, problem) {
    case (.processor, _): .panels(.standard(for: device))
    case (.graphics, .skinnyNT): .skinnyRows(.standard(for: device))
    case (.graphics, .skinnyNN): .skinnyColumns(.standard(for: device))
    case (.graphics, _): .tiles(.standard(for: device, isLarge: problem?.isLarge ?? false))
    }
  }

  public static func candidates(for device: DeviceDescription, problem: String) -> [Self] {
    switch (device.kernelStyle, MatMulClass(rawValue: problem)) {
    case (_, nil): []
    case (.processor, let problem?):
      MatMulPanels.candidates(for: device, problem: problem).map { .panels($0) }
    case (.graphics, .skinnyNT): MatMulSkinnyRows.candidates().map { .skinnyRows($0) }
    case (.graphics, .skinnyNN): MatMulSkinnyColumns.candidates().map { .skinnyColumns($0) }
    case (.graphics, _): MatMulTiles.candidates().map { .tiles($0) }
    }
  }

  public func fits(_ device: DeviceDescription) -> Bool {
    switch self {
    case .panels(let panels):
      device.kernelStyle == .processor && panels.privateByteCount <= MatMulPanels.largestPrivateByteCount
    case .tiles(let tiles): Self.fits(device, lanes: tiles.lanes, localByteCount: tiles.localByteCount)
    case .skinnyRows(let skinny):
      Self.fits(device, lanes: skinny.lanes, localByteCount: skinny.localByteCount)
    case .skinnyColumns(let skinny):
      Self.fits(device, lanes: skinny.lanes, localByteCount: skinny.localByteCount)
    }
  }

  private static func fits(_ device: DeviceDescription, lanes: Int, localByteCount: Int) -> Bool {
    device.kernelStyle == .graphics && lanes <= device.largestWorkGroup
      && localByteCount <= device.localMemoryByteCount
  }
}

/// Classes of products that share a configuration: how the operands are stored, and how large the result is.
///
/// `n` is an operand as it stands, `t` a transposed one. Both transposed (`tt`) counts as `tn`.
public enum MatMulClass: String, CaseIterable, Sendable {
  case smallNN = "nn small"
  case largeNN = "nn large"
  case smallNT = "nt small"
  case largeNT = "nt large"
  case smallTN = "tn small"
  case largeTN = "tn large"
  /// At most ``skinnyRows`` rows against a weight [n, k]: decoding.
  case skinnyNT = "skinny nt"
  /// At most ``skinnyRows`` rows against a weight [k, n].
  case skinnyNN = "skinny nn"

  static let skinnyRows = 8
  /// Results from this many elements on are large: enough tiles for every unit of most devices.
  static let largeCount = 1 << 20

  var isLarge: Bool { self == .largeNN || self == .largeNT || self == .largeTN }

  /// The class of `op(a) op(b)`.
  init(m: Int, n: Int, k: Int, batch: Int = 1, transposeA: Bool, transposeB: Bool) {
    if m <= Self.skinnyRows, !transposeA {
      self = transposeB ? .skinnyNT : .skinnyNN
      return
    }
    let isLarge = m * n * batch >= Self.largeCount
    self =
      switch (transposeA, transposeB) {
      case (true, _): isLarge ? .largeTN : .smallTN
      case (false, true): isLarge ? .largeNT : .smallNT
      case (false, false): isLarge ? .largeNN : .smallNN
      }
  }

  /// Products of this class at which a configuration is judged: layers of small and of large models.
  public var representatives: [MatMulProblem] {
    let sizes: [(m: Int, n: Int, k: Int)] =
      switch self {
      case .smallNN: [(512, 512, 1376), (1024, 256, 688)]
      case .smallNT: [(512, 1024, 384), (1024, 688, 256)]
      case .smallTN: [(384, 384, 2048), (256, 688, 2048)]
      case .largeNN: [(2048, 512, 1376), (2048, 768, 3072)]
      case .largeNT: [(2048, 1376, 512), (2048, 2304, 768)]
      case .largeTN: [(1376, 1024, 2048), (2304, 768, 2048)]
      case .skinnyNT, .skinnyNN: [(1, 2048, 768), (4, 768, 3072)]
      }
    return sizes.map { MatMulProblem(form, m: $0.m, n: $0.n, k: $0.k) }
  }

  /// How the operands are stored.
  var form: MatMulProblem.Form {
    switch self {
    case .smallNN, .largeNN, .skinnyNN: .nn
    case .smallNT, .largeNT, .skinnyNT: .nt
    case .smallTN, .largeTN: .tn
    }
  }

  var isSkinny: Bool { self == .skinnyNT || self == .skinnyNN }
}
