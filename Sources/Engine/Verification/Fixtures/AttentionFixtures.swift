import Kernels

/// Softmax attention with everything that can be added to it.
enum AttentionFixtures: FixtureAdapter {
  static let operations = [Attention.name]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    if let other = fixture.names(after: "cotangent.").first(where: { $0 != "output" }) {
      throw FixtureError.unsupported("attention has no gradient of '\(other)' here")
    }
    if fixture.contains("gradient.alibi_slopes") {
      throw FixtureError.unsupported("attention has no gradient for 'alibi_slopes' here")
    }
    var options = try options(fixture)
    let slopes = try computation.optionalInput("alibi_slopes")
    let sinks = try computation.optionalInput("sinks")
    let documents = try computation.optionalInput("document_ids")
    let mask = try computation.optionalInput("mask")
    options.hasSlopes = slopes != nil
    options.hasSinks = sinks != nil
    options.hasDocuments = documents != nil
    options.hasMask = mask != nil
    let operation = Attention(options, returnsEntropy: fixture.contains("output.entropy"))
    let operands = [
      try computation.input("query"), try computation.input("key"), try computation.input("value"),
    ]
    let outputs = try computation.apply(
      operation, operands + [slopes, sinks, documents, mask].compactMap { $0 })
    let names = ["output", "log_sum_exp", "entropy"]
    return try computation.values(Dictionary(uniqueKeysWithValues: zip(names, outputs)))
  }

  private static func options(_ fixture: FixtureCase) throws -> AttentionOptions {
    let attributes = fixture.attributes
    let layout = try attributes.text("layout", default: "bthd")
    guard layout == "bthd" else { throw FixtureError.unsupported("attention has no layout '\(layout)' here") }
    func window(_ key: String) throws -> Int? {
      let width = try attributes.integer(key, in: -1...1 << 30, default: -1)
      return width < 0 ? nil : width
    }
    return AttentionOptions(
      scale: Float(try attributes.number("scale")), isCausal: try attributes.flag("causal"),
      windowLeft: try window("window_left"), windowRight: try window("window_right"),
      softcap: Float(try attributes.number("softcap", default: 0)))
  }
}
