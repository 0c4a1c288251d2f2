/// Numbers as people read them.
///
/// Machines get plain ones (see `JSONText`).
public enum Numbers {
  /// An integer with thousands separators: `32,768`.
  public static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { result.append(",") }
      result.append(digit)
    }
    return value < 0 ? "-" + result : result
  }

  /// A number with a fixed count of decimals, from 0 to 9, rounded half away from zero: `4.812`.
  ///
  /// Magnitudes of 1e15 and more are written as `scientific` does, since their decimals mean nothing.
  public static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite else { return nonFinite(value) }
    let places = min(max(decimals, 0), 9)
    guard value.magnitude < 1e15 else { return scientific(value, digits: 3) }
    var scale: Int64 = 1
    for _ in 0..<places { scale *= 10 }
    let whole = Int64(value.magnitude)
    let part = Int64(((value.magnitude - Double(whole)) * Double(scale)).rounded(.toNearestOrAwayFromZero))
    let total = part == scale ? (whole + 1, Int64(0)) : (whole, part)
    let sign = value < 0 && (total.0 != 0 || total.1 != 0) ? "-" : ""
    guard places > 0 else { return sign + String(total.0) }
    let fraction = String(total.1)
    return sign + String(total.0) + "." + String(repeating: "0", count: places - fraction.count) + fraction
  }

  /// A number with a count of significant digits, from 1 to 9: `4.81`, `0.0840`, `1,230`, `3.0e-05`.
  ///
  /// Integers above the digits are rounded to whole and grouped, magnitudes below 1e-3 or from 1e9 are written
  /// in scientific form.
  public static func significant(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite else { return nonFinite(value) }
    guard value != 0 else { return "0" }
    let digits = min(max(digits, 1), 9)
    guard value.magnitude >= 1e-3, value.magnitude < 1e9 else { return scientific(value, digits: digits - 1) }
    var decimals = digits - 1 - exponent(of: value)
    // Rounding may carry into another digit: 9.996 becomes 10.0, not 10.00.
    if decimals > 0, exponent(of: rounded(value.magnitude, decimals: decimals)) > exponent(of: value) {
      decimals -= 1
    }
    guard decimals > 0 else { return grouped(Int(value.rounded(.toNearestOrAwayFromZero))) }
    return fixed(value, decimals: decimals)
  }

  /// Scientific form with a two-digit exponent and `digits` decimals: `3.0e-04`.
  public static func scientific(_ value: Double, digits: Int = 1) -> String {
    guard value.isFinite else { return nonFinite(value) }
    guard value != 0 else { return fixed(0, decimals: digits) + "e+00" }
    var power = exponent(of: value)
    var mantissa = scaled(value, byPowerOfTen: -power)
    if rounded(mantissa.magnitude, decimals: digits) >= 10 {
      mantissa /= 10
      power += 1
    }
    let exponentText = String(power.magnitude)
    let padding = exponentText.count < 2 ? "0" : ""
    return fixed(mantissa, decimals: digits) + "e" + (power < 0 ? "-" : "+") + padding + exponentText
  }

  /// Three significant digits and an SI prefix: `14.2 M`, `61.0 GFLOP/s` with unit `FLOP/s`.
  public static func si(_ value: Double, unit: String = "") -> String {
    withPrefix(value, base: 1000, prefixes: ["", "k", "M", "G", "T", "P", "E"], unit: unit)
  }

  /// Bytes with three significant digits and a binary prefix: `1.90 GiB`, `512 B`.
  public static func bytes(_ count: Int) -> String {
    withPrefix(Double(count), base: 1024, prefixes: ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], unit: "B")
  }

  /// A share as a whole percentage: `88 %`; one decimal below ten: `3.1 %`.
  public static func percent(_ share: Double) -> String {
    guard share.isFinite else { return nonFinite(share) }
    let value = share * 100
    return fixed(value, decimals: value.magnitude < 9.95 ? 1 : 0) + " %"
  }

  /// A span of time in its two largest units: `84.0 us`, `840 ms`, `8.4 s`, `52 s`, `12 m 05 s`, `2 h 03 m`,
  /// `1 d 04 h`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return nonFinite(seconds) }
    if seconds == 0 { return "0 s" }
    if seconds < 0.9995e-6 { return significant(seconds * 1e9) + " ns" }
    if seconds < 0.9995e-3 { return significant(seconds * 1e6) + " us" }
    if seconds < 0.9995 { return significant(seconds * 1e3) + " ms" }
    if seconds < 9.95 { return fixed(seconds, decimals: 1) + " s" }
    if seconds < 59.5 { return fixed(seconds, decimals: 0) + " s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) m \(twoDigits(whole % 60)) s" }
    let minutes = Int((seconds / 60).rounded())
    if minutes < 24 * 60 { return "\(minutes / 60) h \(twoDigits(minutes % 60)) m" }
    let hours = Int((seconds / 3600).rounded())
    return "\(grouped(hours / 24)) d \(twoDigits(hours % 24)) h"
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func nonFinite(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    return value < 0 ? "-" + (value.isFinite ? String(value.magnitude) : "inf") : "inf"
  }

  /// The decimal exponent: the power of ten not above the magnitude.
  private static func exponent(of value: Double) -> Int {
    guard value != 0, value.isFinite else { return 0 }
    var power = 0
    var magnitude = value.magnitude
    // Steps instead of log10: exact at the powers of ten.
    while magnitude >= 10 {
      magnitude /= 10
      power += 1
    }
    while magnitude < 1 {
      magnitude *= 10
      power -= 1
    }
    return power
  }

  private static func scaled(_ value: Double, byPowerOfTen power: Int) -> Double {
    var result = value
    for _ in 0..<power.magnitude {
      result = power > 0 ? result * 10 : result / 10
    }
    return result
  }

  private static func rounded(_ value: Double, decimals: Int) -> Double {
    let scale = scaled(1, byPowerOfTen: decimals)
    return (value * scale).rounded(.toNearestOrAwayFromZero) / scale
  }

  private static func withPrefix(_ value: Double, base: Double, prefixes: [String], unit: String) -> String {
    guard value.isFinite else { return nonFinite(value) + (unit.isEmpty ? "" : " " + unit) }
    var scaledValue = value
    var index = 0
    while index + 1 < prefixes.count, scaledValue.magnitude >= base - 0.5 {
      scaledValue /= base
      index += 1
    }
    let isWhole = index == 0 && value == value.rounded() && value.magnitude < 1e6
    let number = isWhole ? grouped(Int(value)) : significant(scaledValue)
    let suffix = prefixes[index] + unit
    return suffix.isEmpty ? number : number + " " + suffix
  }
}
