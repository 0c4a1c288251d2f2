import Kernels

/// The shape of `matmul_skinny_rows`: work-items along k, some columns of the result per work-group.
public struct MatMulSkinnyRows: Hashable, Sendable {
  public let lanes: Int
  public let columns: Int

  /// Nil for shapes that the kernel is not written for.
  init?(lanes: Int, columns: Int) {
    guard Self.isPowerOfTwo(lanes), lanes <= 1024, [4, 8, 16].contains(columns) else { return nil }
    self.lanes = lanes
    self.columns = columns
  }

  static func isPowerOfTwo(_ value: Int) -> Bool { value > 0 && value & (value - 1) == 0 }

  /// Partial sums of every work-item for eight rows, which need most.
  var localByteCount: Int { lanes * columns * MatMulClass.skinnyRows * MemoryLayout<Float>.size }

  // MARK: As a configuration

  var parameters: [String: Int] { ["lanes": lanes, "columns": columns] }

  init?(parameters: [String: Int]) {
    guard let lanes = parameters["lanes"], let columns = parameters["columns"], parameters.count == 2 else {
      return nil
    }
    self.init(lanes: lanes, columns: columns)
  }

  static func standard(for device: DeviceDescription) -> MatMulSkinnyRows {
    let choices = [64, 16].compactMap { MatMulSkinnyRows(lanes: $0, columns: 4) }
    return choices.first { MatMulConfiguration.skinnyRows($0).fits(device) } ?? smallest
  }

  private static let smallest: MatMulSkinnyRows = {
    guard let shape = MatMulSkinnyRows(lanes: 1, columns: 4) else {
      preconditionFailure("the smallest shape of matmul_skinny_rows")
    }
    return shape
  }()

  static func candidates() -> [MatMulSkinnyRows] {
    [32, 64, 128, 256].flatMap { lanes in
      [4, 8, 16].compactMap { MatMulSkinnyRows(lanes: lanes, columns: $0) }
    }
  }
}

/// The shape of `matmul_skinny_columns`: work-items along n, in slices that divide k.
public struct MatMulSkinnyColumns: Hashable, Sendable {
  public let lanes: Int
  public let slices: Int

  /// Nil for shapes that the kernel is not written for.
  init?(lanes: Int, slices: Int) {
    guard MatMulSkinnyRows.isPowerOfTwo(lanes), MatMulSkinnyRows.isPowerOfTwo(slices), lanes <= 1024,
      slices * 4 <= lanes
    else { return nil }
    self.lanes = lanes
    self.slices = slices
  }

  /// Partial sums of four columns per work-item for eight rows, which need most.
  var localByteCount: Int { lanes * 4 * MatMulClass.skinnyRows * MemoryLayout<Float>.size }

  // MARK: As a configuration

  var parameters: [String: Int] { ["lanes": lanes, "slices": slices] }

  init?(parameters: [String: Int]) {
    guard let lanes = parameters["lanes"], let slices = parameters["slices"], parameters.count == 2 else {
      return nil
    }
    self.init(lanes: lanes, slices: slices)
  }

  static func standard(for device: DeviceDescription) -> MatMulSkinnyColumns {
    let choices = [(128, 16), (64, 8), (16, 4)].compactMap { MatMulSkinnyColumns(lanes: $0.0, slices: $0.1) }
    return choices.first { MatMulConfiguration.skinnyColumns($0).fits(device) } ?? smallest
  }

  private static let smallest: MatMulSkinnyColumns = {
    guard let shape = MatMulSkinnyColumns(lanes: 4, slices: 1) else {
      preconditionFailure("the smallest shape of matmul_skinny_columns")
    }
    return shape
  }()

  static func candidates() -> [MatMulSkinnyColumns] {
    [32, 64, 128, 256].flatMap { lanes in
      [1, 2, 4, 8, 16, 32].compactMap { MatMulSkinnyColumns(lanes: lanes, slices: $0) }
    }
  }
}
