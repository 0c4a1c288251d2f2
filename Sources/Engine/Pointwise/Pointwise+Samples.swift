import Kernels

extension Pointwise {
  public static var samples: [Sample] {
    activationSamples + broadcastSamples + LogGate.samples + FeatureMap.samples
  }

  private static var activationSamples: [Sample] {
    Activation.allCases.flatMap { activation in
      [
        // relu and its square have no slope at 0: the inputs stay clear of it by chance of the fixed seed.
        Sample("\(activation.rawValue) gated", gated(activation), [.init([3, 19]), .init([3, 19])]),
        Sample(
          "\(activation.rawValue) large", Pointwise(PointwiseProgram(inputs: 1) { [activation($0[0])] }),
          [.init([70], .float32, .normal(deviation: 8))]),
      ]
    }
  }

  private static var broadcastSamples: [Sample] {
    let functions = PointwiseProgram(inputs: 2) { x in
      [x[0].exp() * x[1].tanh(), (x[0] * x[0] + 1).log().sqrt() - x[1].erf() / (2 + x[0].abs())]
    }
    let choice = PointwiseProgram(inputs: 2) { x in
      [x[0].isLess(than: x[1]).select(x[0] * x[0], x[1]), x[0].maximum(x[1]) + x[0].minimum(2 * x[1])]
    }
    let bias = PointwiseProgram(inputs: 3) { [$0[0] * $0[1] + $0[2]] }
    return [Sample("softcap", softcap(15), [.init([5, 17], .float32, .normal(deviation: 20))])]
      + [1, 8, 33, 1000].map { Sample("functions n\($0)", Pointwise(functions), [.init([$0]), .init([$0])]) }
      + [Sample("many", gated(.silu), [.init([5003]), .init([5003])])]
      + [Sample("choice", Pointwise(choice), [.init([7, 9]), .init([7, 9])])]
      + [(1, 1), (5, 3), (4, 16), (300, 21), (301, 12)].map { rows, columns in
        Sample(
          "row broadcast \(rows)x\(columns)",
          Pointwise(bias, operands: [.init(0), .init(1, .row), .init(2, .element(1))]),
          [.init([rows, columns]), .init([columns]), .init([3])], gradients: [0, 1])
      }
  }
}
