import Glibc

/// The clock of all time measurements.
public enum SteadyClock {
  /// Seconds from a fixed point in the past.
  public static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
