import Glibc

/// What the first loss of a training benchmark can be: nothing is learnt yet, and the tokens are random.
///
/// The loss is `log V` when all logits are alike. Logits of small random weights have the deviation
/// `s = deviation sqrt(width)`, which adds `s^2 / 2`. With a tied head a token's own logit can reach
/// `deviation width`, as the state still points where its embedding does.
struct FirstLoss {
  /// `log V`, where all logits are alike.
  let center: Double
  let range: ClosedRange<Double>

  /// - Parameter tokens: Scored in the step.
  init(of model: ModelConfiguration, tokens: Int) {
    let width = Double(model.modelDimension)
    let spread = model.initialDeviation * width.squareRoot()
    let own = model.initialDeviation * width
    center = log(Double(model.vocabularySize))
    // log(V exp(s^2 / 2) + exp(own)), without overflow.
    let others = center + spread * spread / 2
    let high = model.tiesEmbeddings ? max(others, own) + log1p(exp(-abs(others - own))) : others
    let margin = 1 + 4 * spread / Double(max(1, tokens)).squareRoot()
    range = center - margin...high + margin
  }

  /// How far a loss is from the center as a share of what is allowed; above 1 it is wrong.
  func share(_ loss: Double) -> Double {
    let allowed = loss < center ? center - range.lowerBound : range.upperBound - center
    return loss.isFinite ? abs(loss - center) / allowed : .infinity
  }
}
