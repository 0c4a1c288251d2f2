/// Text that cannot be continued.
public enum GenerationError: Error, CustomStringConvertible {
  /// A model gave a logit that is no finite number, so that no token is likelier than another.
  case nonFiniteLogit(value: Float, token: Int, position: Int)

  public var description: String {
    switch self {
    case .nonFiniteLogit(let value, let token, let position):
      """
      the logits after \(position) tokens are not finite
        token \(token): \(value)
        hint: the weights are damaged or the training diverged; nibble inspect MODEL --statistics shows which
      """
    }
  }
}
