extension FloatFormat {
  /// The code of a value, rounded once from its Float bits.
  ///
  /// NaN gives the format's NaN, and the largest finite value where there is none: whoever quantizes blocks lets
  /// their scale carry it. Without a sign negative values give 0.
  @inlinable
  public func encode(
    _ value: Float, _ rounding: Rounding = .nearestEven, overflow: Overflow = .saturate,
  ) -> UInt32 {
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    let isNegative = value.bitPattern >> 31
    if !isSigned, isNegative == 1, magnitude <= 0x7F80_0000 { return 0 }
    var code = grid.code(of: magnitude, rounding)
    if code > largestCode || magnitude > 0x7F80_0000 {
      code = largestCode
      if overflow == .ieee, let above = infinityCode ?? notANumberCode { code = above }
      if magnitude > 0x7F80_0000, let notANumber = notANumberCode { code = notANumber }
    }
    return isSigned ? code | isNegative &<< magnitudeBits : code
  }

  /// The value of a code; bits above the format's are ignored.
  @inlinable
  public func decode(_ code: UInt32) -> Float {
    let magnitude = code & (1 &<< magnitudeBits &- 1)
    var value = grid.value(of: magnitude)
    if magnitude > largestCode { value = magnitude == infinityCode ? .infinity : .nan }
    let isNegative = isSigned && code &>> magnitudeBits & 1 == 1
    return isNegative ? -value : value
  }

  /// The value of the format that `value` is rounded to.
  @inlinable
  public func round(
    _ value: Float, _ rounding: Rounding = .nearestEven, overflow: Overflow = .saturate,
  ) -> Float {
    decode(encode(value, rounding, overflow: overflow))
  }
}
