/// What adapters begin with.
public enum AdapterInitialization: String, Sendable, CaseIterable {
  /// A by chance, B zero.
  case standard
  /// Singular vectors of the gradient.
  case loraGA = "lora_ga"
}

/// How the frozen weights of linear layers are stored.
public enum AdapterBase: String, Sendable, CaseIterable {
  /// Single precision.
  case fp32
  /// NormalFloat of 4 bits.
  case nf4
  /// Integers of 4 bits.
  case int4
  /// Microscaling floats of 4 bits.
  case mxfp4
}

/// Low-rank adapters that are trained in place of the weights of `init`.
public struct AdapterSettings: Sendable, Equatable {
  /// 0 for none: all weights are trained.
  public var rank = 0
  /// Adapters are multiplied with alpha / rank.
  public var alpha = 16.0
  /// Probability that an element of an adapter's input is zero in training.
  public var dropout = 0.0
  /// Parts of names of linear layers; empty for all.
  public var targets: [String] = []
  /// Whether alpha is divided by the root of the rank.
  public var rslora = false
  /// What adapters begin with.
  public var initialization = AdapterInitialization.standard
  /// How the weights of linear layers below are stored.
  public var base = AdapterBase.fp32
  /// Micro-batches of the gradient that adapters begin with (lora_ga).
  public var gradientBatches = 8

  /// The defaults.
  public init() {}
}
