import Kernels

/// What the recurrences over matrix states have in common besides their gates.
public struct RecurrenceOptions: Sendable, Hashable {
  /// Multiplies the query.
  public var scale: Float
  /// The state in front of the first token [batch, heads, key width, value width] is given; else it is 0.
  public var hasInitialState: Bool
  /// Document numbers int32 [batch, time] are given: the state is 0 in front of a token whose number differs from its
  /// predecessor's.
  public var hasDocuments: Bool

  public init(scale: Float, hasInitialState: Bool = false, hasDocuments: Bool = false) {
    self.scale = scale
    self.hasInitialState = hasInitialState
    self.hasDocuments = hasDocuments
  }

  var operands: String {
    (hasInitialState ? ", initial_state [batch, heads, k, v]" : "")
      + (hasDocuments ? ", documents: int32 [batch, time]" : "")
  }

  /// The optional operands behind the `first` ones.
  func extras<Operand>(of operands: [Operand], from first: Int) -> (initial: Operand?, documents: Operand?) {
    let initial = hasInitialState ? operands[first] : nil
    return (initial, hasDocuments ? operands[first + (hasInitialState ? 1 : 0)] : nil)
  }

  var extraCount: Int { (hasInitialState ? 1 : 0) + (hasDocuments ? 1 : 0) }

  /// Whether the state is reset in front of a token, in references.
  static func isReset<Scalar>(_ documents: ReferenceTensor<Scalar>?, batch: Int, time: Int, of times: Int)
    -> Bool
  {
    guard let documents, time > 0 else { return false }
    return documents[batch * times + time] != documents[batch * times + time - 1]
  }
}

extension Tape {
  /// Runs a recurrence with the optional operands that are there.
  ///
  /// - Parameter operands: Those in front of the optional ones.
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  func recurrence<Forward: Recurrence>(
    _ operands: [Tensor], scale: Float, initialState: Tensor?, documents: Tensor?,
    _ make: (RecurrenceOptions) -> Forward,
  ) -> (output: Tensor, finalState: Tensor) {
    let options = RecurrenceOptions(
      scale: scale, hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let outputs = apply(make(options), operands + [initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
