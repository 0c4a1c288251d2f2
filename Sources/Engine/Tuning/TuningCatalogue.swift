public import Kernels

/// Everything that can be tuned.
public enum TuningCatalogue {
  /// The problems of all families that have a choice on a device.
  public static func problems(for device: DeviceDescription) -> [TuningProblem] {
    let all =
      MatMulConfiguration.tuningProblems + AttentionTuning.problems + RowConfiguration.tuningProblems
      + ElementwiseConfiguration.tuningProblems
    return all.filter { !$0.candidates(for: device).isEmpty }
  }
}
