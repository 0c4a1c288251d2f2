import Glibc

/// Moments as text.
enum Timestamp {
  /// The local date, `2026-11-21`.
  static func today() -> String { formatted("%Y-%m-%d", utc: false, time(nil)) }

  /// A moment in UTC, `2026-11-21T02:14:05Z`.
  static func iso(_ seconds: Double) -> String { formatted("%Y-%m-%dT%H:%M:%SZ", utc: true, time_t(seconds)) }

  private static func formatted(_ format: String, utc: Bool, _ moment: time_t) -> String {
    var moment = moment
    var parts = tm()
    if utc { gmtime_r(&moment, &parts) } else { localtime_r(&moment, &parts) }
    var bytes = [CChar](repeating: 0, count: 64)
    let count = strftime(&bytes, bytes.count, format, &parts)
    return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
