import Kernels

/// What cross-entropy can do besides its plain form.
///
/// With l = c tanh(logits / c) where a cap c is given, the loss of a row with label y is
/// `lse - (1 - s) l[y] - s mean(l) + z lse^2`, lse = log sum exp(l).
public struct CrossEntropyOptions: Sendable, Hashable {
  /// Rows with this label do not count: their loss and their gradient are 0.
  public var ignoreIndex: Int
  /// s in 0...1: the share of the target that is spread over all columns
  /// (Szegedy and others, "Rethinking the Inception Architecture for Computer Vision", 2015).
  public var labelSmoothing: Double
  /// c: bounds the logits (Gemma Team, "Gemma 2", 2024); 0 turns it off.
  public var softcap: Double
  /// z: keeps the log-sum-exp near 0 (Chowdhery and others, "PaLM", 2022).
  public var zLoss: Double
  /// The loss is the sum over rows times this number.
  ///
  /// 1 / (scored tokens of the whole step) gives the mean, however a batch is split.
  public var scale: Double

  public init(
    ignoreIndex: Int = -100, labelSmoothing: Double = 0, softcap: Double = 0, zLoss: Double = 0,
    scale: Double = 1,
  ) {
    self.ignoreIndex = ignoreIndex
    self.labelSmoothing = labelSmoothing
    self.softcap = softcap
    self.zLoss = zLoss
    self.scale = scale
  }

  /// - Throws: ``ShapeError`` naming the attribute that is out of range.
  func validate(columns: Int, operation: String, signature: String) throws(ShapeError) {
    let demands: [(Bool, String)] = [
      (columns > 0 && columns <= Int(Int32.max), "\(columns) columns of logits, not 1 to \(Int32.max)"),
      (Int32(exactly: ignoreIndex) != nil, "ignoreIndex \(ignoreIndex) is no 32-bit label"),
      (labelSmoothing >= 0 && labelSmoothing <= 1, "labelSmoothing \(labelSmoothing) is outside 0...1"),
      (softcap >= 0 && softcap.isFinite, "softcap \(softcap) is not a positive number, or 0 for none"),
      (zLoss.isFinite, "zLoss \(zLoss) is not finite"),
      (scale.isFinite, "scale \(scale) is not finite"),
    ]
    for (holds, problem) in demands where !holds {
      throw ShapeError(operation: operation, expected: signature, problem: problem)
    }
  }
}

/// The cotangents that a gradient of cross-entropy is given as inputs; absent ones are 0, that of the loss 1.
public struct CrossEntropyCotangents: Sendable, Hashable {
  public var ofLoss: Bool
  public var ofTokenLosses: Bool
  public var ofLogSumExp: Bool

  public init(ofLoss: Bool = false, ofTokenLosses: Bool = false, ofLogSumExp: Bool = false) {
    self.ofLoss = ofLoss
    self.ofTokenLosses = ofTokenLosses
    self.ofLogSumExp = ofLogSumExp
  }

  /// Inputs of a signature, in this order.
  var operands: String {
    (ofLoss ? ", loss_cotangent [1]" : "") + (ofTokenLosses ? ", token_cotangents [n]" : "")
      + (ofLogSumExp ? ", log_sum_exp_cotangents [n]" : "")
  }

  /// Hands out the operands that begin at position `first`.
  func taken<Operand>(from operands: [Operand], at first: Int) -> (
    loss: Operand?, tokens: Operand?, sums: Operand?
  ) {
    var next = first
    func take(_ isPresent: Bool) -> Operand? {
      guard isPresent else { return nil }
      defer { next += 1 }
      return operands[next]
    }
    let loss = take(ofLoss)
    let tokens = take(ofTokenLosses)
    return (loss, tokens, take(ofLogSumExp))
  }
}

/// The definition, row by row.
struct CrossEntropyReference<Scalar: ReferenceScalar> {
  let options: CrossEntropyOptions
  /// l, maximum and log of the sum of exp(l - maximum) of one row.
  private let capped: [Scalar]
  private let maximum: Scalar
  private let logSum: Scalar
  private let label: Int

  init(_ options: CrossEntropyOptions, logits: some Collection<Scalar>, label: Int) {
    self.options = options
    self.label = label
    let cap = Scalar(options.softcap)
    let capped = logits.map { options.softcap > 0 ? cap * Scalar.tanh($0 / cap) : $0 }
    let maximum = capped.reduce(-Scalar.infinity) { $1 > $0 ? $1 : $0 }
    self.capped = capped
    self.maximum = maximum
    logSum = Scalar.log(capped.reduce(0) { $0 + Scalar.exp($1 - maximum) })
  }

  var logSumExp: Scalar { maximum + logSum }
  private var isIgnored: Bool { label == options.ignoreIndex }
  private var isInside: Bool { !isIgnored && capped.indices.contains(label) }

  /// Written with differences from the maximum: lse - l[y] would lose digits where the logits are large.
  var tokenLoss: Scalar {
    guard !isIgnored else { return 0 }
    guard isInside else { return .nan }
    let s = Scalar(options.labelSmoothing)
    let mean = capped.reduce(0) { $0 + ($1 - maximum) } / Scalar(capped.count)
    let smoothed = s > 0 ? s * mean : 0
    return logSum - (1 - s) * (capped[label] - maximum) - smoothed + Scalar(options.zLoss) * logSumExp
      * logSumExp
  }

  /// The gradient of the logits for given cotangents of the loss, this row's token loss and its log-sum-exp.
  func gradient(loss: Scalar, token: Scalar, sum: Scalar?) -> [Scalar] {
    guard !isIgnored || sum != nil else { return capped.map { _ in 0 } }
    let weight = isIgnored ? 0 : isInside ? loss * Scalar(options.scale) + token : .nan
    let share = (isIgnored ? 0 : weight * (1 + 2 * Scalar(options.zLoss) * logSumExp)) + (sum ?? 0)
    let s = Scalar(options.labelSmoothing)
    let uniform = weight * s / Scalar(capped.count)
    let cap = Scalar(options.softcap)
    return capped.indices.map { column in
      let probability = Scalar.exp(capped[column] - maximum - logSum)
      let target = column == label ? weight * (1 - s) : 0
      let slope = options.softcap > 0 ? 1 - (capped[column] / cap) * (capped[column] / cap) : 1
      return (share * probability - uniform - (isInside ? target : 0)) * slope
    }
  }
}
