import Kernels
import Testing

@testable import Engine

/// Gradients of whole models in double precision.
@Suite struct ModelGradientTests {
  private static let batch = 2
  private static let time = 6
  private let device = ReferenceDevice<Double>()

  private func loss(
    _ model: any LanguageModel, _ labels: [Int32], recording: Bool, recomputes: Bool = false,
  ) -> (Tape, Tensor) {
    let shape: Shape = [Self.batch, Self.time]
    let tape = Tape(on: device, isRecording: recording)
    // Two documents in the second sequence.
    let documents: [Int32] = (0..<shape.count).map { $0 < Self.time + 3 ? 0 : 1 }
    var context = ForwardContext(tape: tape, documents: Tensor(documents, shape: shape, on: device))
    context.recomputesLayers = recomputes
    let states = model.hiddenStates(Tensor(TinyTokens.ids(shape.count), shape: shape, on: device), context)
    let result = tape.linearCrossEntropy(
      hidden: states, weight: tape.parameter(model.head),
      labels: Tensor(labels, shape: [shape.count], on: device),
      CrossEntropyOptions(labelSmoothing: 0.1, softcap: 20, zLoss: 1e-3, scale: 1 / 11))
    return (tape, result.loss)
  }

  /// The slope of the loss along one element, by a fourth-order difference.
  private func slope(_ model: any LanguageModel, _ parameter: Parameter, _ element: Int, _ labels: [Int32])
    -> Double
  {
    let original = device.values(parameter.memory)
    let width = 1e-4
    func value(_ steps: Double) -> Double {
      var moved = original
      moved[element] += steps * width
      device.copy(device.tensor(moved, TensorType(parameter.shape, .float32)).memory, to: parameter.memory)
      return device.values(loss(model, labels, recording: false).1.memory)[0]
    }
    let result = (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * width)
    device.copy(device.tensor(original, TensorType(parameter.shape, .float32)).memory, to: parameter.memory)
    return result
  }

  /// Every mixer in two layers, and one that hands values on across another.
  private static let patterns =
    MixerCatalogue.all.map { [$0.name, $0.name] } + [["rwkv7", MixerSettings.sliding, "rwkv7"]]

  @Test(arguments: TinyModel.allCases)
  func everyParameterMatchesFiniteDifferences(kind: TinyModel) throws {
    try expectFiniteDifferences(kind.configuration(), "\(kind)")
  }

  @Test(arguments: patterns)
  func everyParameterOfAMixerMatchesFiniteDifferences(kinds: [String]) throws {
    try expectFiniteDifferences(TinyModel.hybrid(kinds), "\(kinds)")
  }

  private func expectFiniteDifferences(_ configuration: ModelConfiguration, _ comment: String) throws {
    let model = try TinyModel.make(configuration, on: device, trains: true)
    var labels = TinyTokens.ids(Self.batch * Self.time, seed: 8)
    labels[4] = -100
    let (tape, start) = loss(model, labels, recording: true)
    tape.backward(from: start)
    let random = CounterRandom(seed: 1, stream: "elements")
    var largest = 0.0
    for (number, parameter) in model.parameters.parameters.enumerated() {
      let gradients = device.values(try #require(parameter.gradient))
      for draw in 0..<2 {
        let element = random.integer(UInt64(2 * number + draw), below: gradients.count)
        let expected = slope(model, parameter, element, labels)
        largest = max(largest, abs(expected))
        // The difference's own error: h^4 and 1e-16 / h of rounding.
        #expect(
          abs(gradients[element] - expected) <= 1e-8 + 1e-6 * abs(expected),
          "\(comment) \(parameter.name)[\(element)]: \(gradients[element]), finite difference \(expected)")
      }
    }
    #expect(largest > 1e-3)
  }

  @Test(arguments: TinyModel.allCases.map { $0.configuration() } + patterns.map { TinyModel.hybrid($0) })
  func recomputedLayersGiveTheSameBits(configuration: ModelConfiguration) throws {
    let labels = TinyTokens.ids(Self.batch * Self.time, seed: 8)
    let gradients = try [false, true].map { recomputes in
      let model = try TinyModel.make(configuration, on: device, trains: true)
      let (tape, start) = loss(model, labels, recording: true, recomputes: recomputes)
      tape.backward(from: start)
      return try model.parameters.parameters.map { device.values(try #require($0.gradient)) }
    }
    #expect(gradients[0] == gradients[1])
    #expect(gradients[0].allSatisfy { $0.contains { $0 != 0 } })
  }
}
