/// What gives the blocks of an operand their scales.
public enum ScaleSource: String, Sendable, Hashable {
  /// Their largest magnitudes, as the format's scaling says.
  case magnitude
  /// Training: scales are parameters (learned step size quantization).
  case learned = "lsq"
  /// Their mean magnitudes; levels lie half a step beside whole numbers (StatsQ).
  case statistics = "statsq"
}

extension OperandFormat {
  /// The levels of scales that do not follow from the largest magnitude; nil for those that do.
  public var uniformGrid: UniformGrid? {
    guard scaleSource != .magnitude, case .integer(let format) = block.element else { return nil }
    return scaleSource == .learned ? .signed(bits: Int(format.bits)) : .midRise(bits: Int(format.bits))
  }

  /// Refuses what learned and statistical scales do not go with.
  func checkScaleSource(_ text: String) throws(SyntaxError) {
    guard scaleSource != .magnitude else { return }
    let name = "'\(text)' has scale=\(scaleSource.rawValue)"
    guard case .integer(let format) = block.element, format.range == .full, format.fractionBits == 0 else {
      throw SyntaxError("\(name), which goes with whole numbers", hint: "int8, int6, int4, int3 or int2")
    }
    guard block.tile == .wholeMatrix || block.tile.rows == 1 else {
      throw SyntaxError(
        "\(name), which goes with blocks along one row", hint: "block=64, block=row or block=tensor")
    }
    guard !isStochastic, hadamard == nil else {
      throw SyntaxError(
        "\(name), which goes with rounding to nearest and no transform",
        hint: "leave out \(isStochastic ? "rounding=stochastic" : "hadamard")")
    }
    guard !block.isSearched, maximum == .current, estimator == .straightThrough else {
      throw SyntaxError(
        "\(name), which no largest magnitude gives and which has a gradient of its own",
        hint: "leave out rule=search, scaling=, refresh= and estimator=")
    }
  }
}

extension LinearFormats {
  /// Refuses learned and statistical scales where they would not be those of a weight or of the forward.
  func checkScaleSources() throws(OperandFormat.SyntaxError) {
    for (operand, format) in [
      ("dgrad_cotangent", dgradCotangent), ("dgrad_weight", dgradWeight.rounded),
      ("wgrad_cotangent", wgradCotangent), ("wgrad_input", wgradInput.rounded),
    ] {
      guard let format, format.scaleSource != .magnitude else { continue }
      throw .init(
        "\(operand): scale=\(format.scaleSource.rawValue) belongs to operands of the forward",
        hint: operand == "dgrad_weight" || operand == "wgrad_input" ? "\(operand)=forward" : "scale=fp32")
    }
    guard let input = fpropInput, input.scaleSource != .magnitude else { return }
    guard input.scaleSource == .learned, input.block.tile == .wholeMatrix else {
      throw .init(
        "fprop_input: \(input) has a scale that belongs to weights",
        hint: "activations have one learned scale: int8 block=tensor scale=lsq")
    }
  }
}
