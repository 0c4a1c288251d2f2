import Glibc

/// Fixed decays of linear attention by head: the tables that papers and released models use.
///
/// The three lightning tables do not agree with each other; a checkpoint says which it was trained with.
public enum LinearAttentionDecay: String, Sendable, Hashable, CaseIterable {
  /// `log(1 - 2^(-5 - h))` (Sun et al., "Retentive Network", 2023).
  case retnet
  /// `-8 h / heads (1 - layer / layers)` (Qin et al., "Lightning Attention-2", 2024).
  case lightningPaper = "lightning_paper"
  /// `-slope_h (1 - layer / (layers - 1) + 1e-5)` with ALiBi's slopes (TransNormerLLM as released).
  case lightningReleased = "lightning_released"
  /// `-2^(-8 (h + 1) / heads) (1 - layer / (layers - 1 + 1e-5) + 1e-5)` (MiniMax).
  case minimax

  /// The natural logarithm of each head's decay factor per token, not positive.
  ///
  /// - Parameters:
  ///   - heads: Number of heads, at least 1.
  ///   - layer: The layer's number from 0; `retnet` does not use it.
  ///   - layers: Number of layers.
  public func logDecays(heads: Int, layer: Int = 0, layers: Int = 1) -> [Double] {
    precondition(
      heads > 0 && layer >= 0 && layer < layers, "decays of \(heads) heads in layer \(layer) of \(layers)")
    let (count, depth) = (Double(heads), Double(layer))
    switch self {
    case .retnet: return (0..<heads).map { log1p(-exp2(-5 - Double($0))) }
    case .lightningPaper: return (0..<heads).map { -8 * Double($0) / count * (1 - depth / Double(layers)) }
    case .lightningReleased:
      // One layer alone is the first one.
      let factor = 1 - depth / Double(max(1, layers - 1)) + 1e-5
      return Self.slopes(heads: heads).map { -$0 * factor }
    case .minimax:
      let factor = 1 - depth / (Double(layers - 1) + 1e-5) + 1e-5
      return (0..<heads).map { -exp2(-8 * Double($0 + 1) / count) * factor }
    }
  }

  /// ALiBi's slopes: those of the largest power of two, then every second of the next one's.
  static func slopes(heads: Int) -> [Double] {
    let whole = 1 << (Int.bitWidth - 1 - heads.leadingZeroBitCount)
    let known = (0..<whole).map { exp2(-8 * Double($0 + 1) / Double(whole)) }
    return known + (0..<heads - whole).map { exp2(-8 * Double(2 * $0 + 1) / Double(2 * whole)) }
  }
}
