import Kernels

/// Looks for the operand where low precision broke a step: the first with numbers that are not finite, or else the first
/// of which many saturated.
///
/// Operands come in the order of the tape: forward, then backward. Each is read back, so this is for repeated steps only.
final class BadOperandFinder {
  /// Share of saturated numbers that is worth telling.
  private static let saturation = 0.05

  private let device: any OperationDevice
  private var nonFinite: OperandStatistics?
  private var saturated: OperandStatistics?

  init(on device: any OperationDevice) { self.device = device }

  func add(_ view: RoundedOperandView) {
    // What cannot be read any more leaves the place unknown; the step has failed already.
    guard nonFinite == nil, let statistics = try? OperandStatistics(view, on: device) else { return }
    if statistics.nonFinite > 0 {
      nonFinite = statistics
    } else if saturated == nil, statistics.saturation > Self.saturation {
      saturated = statistics
    }
  }

  /// For example `model.layers.1.mlp.down_proj fprop_input: 64 numbers are not finite behind the rounding, none before`.
  var text: String? {
    if let found = nonFinite {
      let origin = found.largest.isFinite ? "behind the rounding, none before" : "before they are rounded"
      let verb = found.nonFinite == 1 ? "number is" : "numbers are"
      return "\(found.layer) \(found.operand): \(found.nonFinite) \(verb) not finite \(origin)"
    }
    return saturated.map {
      let share = ($0.saturation * 1000).rounded() / 10
      return "\($0.layer) \($0.operand): \(share) % of the numbers saturate"
    }
  }
}
