/// What softmax attention can do besides its plain form.
///
/// Query head h reads key/value head `h * keyHeads / heads`. Row i of the queries stands at position
/// `p = i + keyTime - queryTime`: the causal triangle is aligned to the bottom right. A score is `scale q.k`, then
/// `softcap tanh(s / softcap)`, then `- slope |p - j|`; then all masks together decide whether key j is seen.
public struct AttentionOptions: Sendable, Hashable {
  public var scale: Float
  /// Keys up to the query's own position only.
  public var isCausal: Bool
  /// Keys from `p - windowLeft` on; nil is unlimited.
  ///
  /// A checkpoint's window of W keys is W - 1 here.
  public var windowLeft: Int?
  /// Keys up to `p + windowRight`; nil is unlimited.
  public var windowRight: Int?
  /// Bound of the scores, 0 for none.
  public var softcap: Float
  /// ALiBi slopes [heads] are given (Press et al., "Train Short, Test Long", 2022).
  public var hasSlopes: Bool
  /// Sinks [heads] are given: one logit per head that takes probability and has no value.
  public var hasSinks: Bool
  /// Document numbers int32 [batch, keyTime] are given; a query sees keys of its own document.
  public var hasDocuments: Bool
  /// A mask uint8 [queryTime, keyTime] is given; 1 is seen.
  public var hasMask: Bool

  public init(
    scale: Float, isCausal: Bool, windowLeft: Int? = nil, windowRight: Int? = nil, softcap: Float = 0,
    hasSlopes: Bool = false, hasSinks: Bool = false, hasDocuments: Bool = false, hasMask: Bool = false,
  ) {
    self.scale = scale
    self.isCausal = isCausal
    self.windowLeft = windowLeft
    self.windowRight = windowRight
    self.softcap = softcap
    self.hasSlopes = hasSlopes
    self.hasSinks = hasSinks
    self.hasDocuments = hasDocuments
    self.hasMask = hasMask
  }

  /// The optional inputs in the order of the operations' signatures.
  var extraOperands: String {
    (hasSlopes ? ", slopes [heads]" : "") + (hasSinks ? ", sinks [heads]" : "")
      + (hasDocuments ? ", documents: int32 [batch, tk]" : "") + (hasMask ? ", mask: uint8 [tq, tk]" : "")
  }

  var extraCount: Int { [hasSlopes, hasSinks, hasDocuments, hasMask].count { $0 } }

  /// The optional operands of a list that begins with query, key, value.
  func extras<Operand>(of operands: [Operand]) -> AttentionExtras<Operand> {
    var next = 3
    func take(_ isPresent: Bool) -> Operand? {
      guard isPresent else { return nil }
      defer { next += 1 }
      return operands[next]
    }
    return AttentionExtras(
      slopes: take(hasSlopes), sinks: take(hasSinks), documents: take(hasDocuments), mask: take(hasMask))
  }

  /// Position of the sinks among the inputs.
  var sinksPosition: Int { hasSlopes ? 4 : 3 }

  /// Keys that row `position` may see by causality and windows.
  func range(position: Int, keyTime: Int) -> Range<Int> {
    let lower = max(0, windowLeft.map { position - $0 } ?? 0)
    var upper = keyTime
    if isCausal { upper = min(upper, position + 1) }
    if let windowRight { upper = min(upper, position + windowRight + 1) }
    return lower..<max(lower, upper)
  }

  func validate(_ inputs: [TensorType], operation: String, signature: String) throws(ShapeError) {
    let (query, key, value) = (inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let demands: [(Bool, String)] = [
      (
        query.dimensions.allSatisfy { $0 > 0 } && key.count > 0,
        "an axis is empty: query \(query), key \(key)"
      ),
      (
        key[2] > 0 && query[2].isMultiple(of: key[2]),
        "\(query[2]) heads are no multiple of \(key[2]) key heads"
      ),
      (AttentionOptions.isWidth(query[3]), "head dimension \(query[3]) is no multiple of 4 from 4 to 256"),
      (AttentionOptions.isWidth(value[3]), "value dimension \(value[3]) is no multiple of 4 from 4 to 256"),
      (softcap >= 0 && softcap.isFinite, "softcap \(softcap)"),
      (scale.isFinite, "scale \(scale)"),
      ((windowLeft ?? 0) >= 0 && (windowRight ?? 0) >= 0, "a negative window"),
    ]
    for (holds, problem) in demands where !holds {
      throw ShapeError(operation: operation, expected: signature, problem: problem)
    }
  }

  /// The widest heads.
  static let largestWidth = 256

  private static func isWidth(_ width: Int) -> Bool {
    width.isMultiple(of: 4) && (4...largestWidth).contains(width)
  }
}

/// The optional operands of attention.
struct AttentionExtras<Operand> {
  let slopes: Operand?
  let sinks: Operand?
  let documents: Operand?
  let mask: Operand?
}

/// Lengths of an attention.
struct AttentionExtents: Hashable {
  let batch: Int
  let queryTime: Int
  let keyTime: Int
  let heads: Int
  let keyHeads: Int
  let width: Int
  let valueWidth: Int

  init(_ query: Shape, _ key: Shape, _ value: Shape) {
    batch = query[0]
    queryTime = query[1]
    heads = query[2]
    width = query[3]
    keyTime = key[1]
    keyHeads = key[2]
    valueWidth = value[3]
  }

  /// Pairs of a query row and a key it may see by causality and windows.
  func pairCount(_ options: AttentionOptions) -> Double {
    let rows = (0..<queryTime).reduce(0) {
      $0 + options.range(position: $1 + keyTime - queryTime, keyTime: keyTime).count
    }
    return Double(batch * heads) * Double(rows)
  }
}

/// Probabilities of one query row, by the definition.
struct AttentionRow<Scalar: ReferenceScalar> {
  /// Numbers of the keys that are seen.
  let keys: [Int]
  let probabilities: [Scalar]
  /// Derivative of each score by the raw `scale q.k` (the soft cap's slope).
  let slopes: [Scalar]
  /// -1e30 for a row that sees nothing.
  let logSumExp: Scalar
  let sinkProbability: Scalar

  init(
    _ options: AttentionOptions, _ size: AttentionExtents, batch: Int, row: Int, head: Int,
    inputs: [ReferenceTensor<Scalar>],
  ) {
    let extras = options.extras(of: inputs)
    let position = row + size.keyTime - size.queryTime
    let keyHead = head * size.keyHeads / size.heads
    var keys: [Int] = []
    var scores: [Scalar] = []
    var slopes: [Scalar] = []
    for key in options.range(position: position, keyTime: size.keyTime) {
      if let mask = extras.mask, mask[row * size.keyTime + key] == 0 { continue }
      if let documents = extras.documents {
        guard position >= 0,
          documents[batch * size.keyTime + position] == documents[batch * size.keyTime + key]
        else { continue }
      }
      let q = ((batch * size.queryTime + row) * size.heads + head) * size.width
      let k = ((batch * size.keyTime + key) * size.keyHeads + keyHead) * size.width
      var score: Scalar = 0
      for index in 0..<size.width { score += inputs[0][q + index] * inputs[1][k + index] }
      score *= Scalar(options.scale)
      var slope: Scalar = 1
      if options.softcap > 0 {
        let ratio = Scalar.tanh(score / Scalar(options.softcap))
        score = Scalar(options.softcap) * ratio
        slope = 1 - ratio * ratio
      }
      if let alibi = extras.slopes { score -= alibi[head] * Scalar(abs(position - key)) }
      keys.append(key)
      scores.append(score)
      slopes.append(slope)
    }
    self.keys = keys
    self.slopes = slopes
    let sink = extras.sinks.map { $0[head] }
    let maximum = scores.reduce(sink ?? -1e30) { max($0, $1) }
    let weights = scores.map { Scalar.exp($0 - maximum) }
    let sinkWeight = sink.map { Scalar.exp($0 - maximum) } ?? 0
    let total = weights.reduce(sinkWeight, +)
    probabilities = weights.map { $0 / total }
    sinkProbability = total > 0 ? sinkWeight / total : 0
    logSumExp = total > 0 ? maximum + Scalar.log(total) : -1e30
  }
}
