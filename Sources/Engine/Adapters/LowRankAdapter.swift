/// Low-rank adapters of a frozen model's linear layers as plain values: `y = x w^T + scale (x A^T) B^T`.
///
/// - SeeAlso: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
public struct LowRankAdapter: Sendable, Equatable {
  public enum Initialization: String, Sendable, CaseIterable {
    /// A is uniform in +-1/sqrt(in), B zero.
    case standard
    /// A and B are singular vectors of the loss's gradient; see ``GradientInitialization``.
    case gradient = "lora_ga"
  }

  public var rank: Int
  public var alpha: Double
  /// Probability that an element of an adapter's input is zero in training.
  public var dropout: Double
  /// Linear layers whose name has one of these parts, between dots; empty for all.
  public var targets: [String]
  /// Scales by alpha / sqrt(rank) (Kalajdzievski, "A Rank Stabilization Scaling Factor", 2023) instead of alpha / rank.
  public var isRankStabilized: Bool
  public var initialization: Initialization
  /// How the weights of linear layers below are stored; nil for single precision.
  public var base: PackedFormat?
  /// Of A's first values and of dropout.
  public var seed: UInt64

  public init(
    rank: Int, alpha: Double = 16, dropout: Double = 0, targets: [String] = [],
    isRankStabilized: Bool = false, initialization: Initialization = .standard,
    base: PackedFormat? = nil, seed: UInt64 = 0,
  ) {
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.targets = targets
    self.isRankStabilized = isRankStabilized
    self.initialization = initialization
    self.base = base
    self.seed = seed
  }

  /// What `(x A^T) B^T` is multiplied with.
  public var scale: Double { alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank)) }

  /// Whether the layer of a weight is adapted: its name has a target's words one after the other.
  func adapts(_ weight: String) -> Bool {
    targets.isEmpty || targets.contains { Self.has(weight, $0) }
  }

  static func has(_ name: String, _ part: String) -> Bool { ".\(name).".firstRange(of: ".\(part).") != nil }
}

/// Why a model cannot have the adapters that were asked for.
public enum AdapterError: Error, CustomStringConvertible {
  case noTarget(String, names: [String])
  case noLinearLayer
  case rankTooLarge(Int, largest: Int, name: String, shape: Shape)
  case noGradient(name: String)
  case unevenBlocks(Int, name: String, shape: Shape)
  case missingBase(path: String, adapter: String)
  case unsupported(String, path: String)
  case baseIsAdapter(path: String)

  public var description: String {
    switch self {
    case .noTarget(let part, let names):
      "no linear layer has '\(part)' in its name\n  there: \(names.prefix(7).joined(separator: ", "))"
        + (names.count > 7 ? " and \(names.count - 7) more" : "")
        + "\n  hint: adapter.targets takes whole words between dots, such as q_proj or layers.0"
    case .noLinearLayer: "the model has no linear layer that could have an adapter"
    case .rankTooLarge(let rank, let largest, let name, let shape):
      "adapters of rank \(rank) are too large for \(name), which is \(shape)\n  hint: adapter.rank=\(largest) at most"
    case .noGradient(let name):
      "the loss does not depend on \(name), so its gradient cannot start an adapter"
        + "\n  hint: adapter.initialization=standard, or other adapter.targets"
    case .unevenBlocks(let size, let name, let shape):
      "\(name) is \(shape), whose rows are not whole blocks of \(size)\n  hint: adapter.base=nf4"
    case .missingBase(let path, let adapter):
      "the adapters in \(adapter) belong to a model that is not there: \(path)"
        + "\n  hint: put it back, or let base_model_name_or_path in adapter_config.json name its folder"
    case .unsupported(let what, let path):
      "\(path): \(what)\n  hint: adapters of linear layers with lora_A and lora_B alone are read"
    case .baseIsAdapter(let path):
      "\(path) holds adapters, not a model that others can be put on"
        + "\n  hint: nibble merge \(path) --output FOLDER makes a model of it"
    }
  }
}
