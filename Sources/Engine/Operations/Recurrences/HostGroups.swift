import CHost
import Kernels

extension HostThreads {
  /// Runs the work-groups of a kernel that is compiled for the host (`CHostMixers.h`), several at a time.
  ///
  /// - Parameters:
  ///   - grain: Groups that a thread takes at least.
  ///   - kernel: Calls the kernel, which runs the group that is selected.
  func forGroups(_ count: Int, grain: Int = 1, _ kernel: @Sendable () -> Void) {
    forRanges(count, grain: grain) { range in
      for group in range {
        nibble_select_group(UInt(group))
        kernel()
      }
    }
  }
}
