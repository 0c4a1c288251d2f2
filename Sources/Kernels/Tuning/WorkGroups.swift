extension DeviceDescription {
  /// Work-items of a group that shares a row or a reduction: a power of two, at most `wanted`, that the device takes.
  ///
  /// 1 where kernels are those of processors.
  public func lanes(atMost wanted: Int) -> Int {
    guard kernelStyle == .graphics else { return 1 }
    let limit = max(1, min(wanted, largestWorkGroup))
    return 1 << (Int.bitWidth - 1 - limit.leadingZeroBitCount)
  }
}
