import Glibc

extension RWKV7Mixer {
  /// What is made of a token and the one before it: receptance, decay, key, value, rate, gate.
  static let streams = ["r", "w", "k", "v", "a", "g"]

  /// Whether the layer is the model's first of this kind.
  static func isFirst(_ shape: MixerShape) -> Bool {
    shape.settings.kinds.firstIndex(of: name) == shape.layer
  }

  /// All tensors, under the names and with the shapes that RWKV-LM has.
  ///
  /// `x_r` to `x_g` [1, 1, model], `w0`, `a0`, `v0`, `k_k`, `k_a` [1, 1, heads width], `w1`, `a1`, `v1`, `g1` [model, rank],
  /// `w2`, `a2`, `v2`, `g2` [rank, heads width], `r_k` [heads, width], `receptance`, `key`, `value`, `output` (`.weight`),
  /// `ln_x` (`.weight`, `.bias`); `v0`, `v1`, `v2` not in the first layer, where RWKV-LM has them without use. They also start
  /// as the layer starts there, but for the second matrices of low rank, which are normal instead of orthogonal.
  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let (model, inner) = (shape.modelDimension, shape.heads * shape.keyWidth)
    let starts = RWKV7Starts(shape)
    func wide(_ name: String, _ count: Int, _ start: ParameterStart) -> MixerParameter {
      .init(name: name, shape: [1, 1, count], decays: false, start: start)
    }
    func lowRank(_ letter: String, _ factor: Double, offset: ParameterStart?) -> [MixerParameter] {
      let rank = max(32, Int((factor * Double(model).squareRoot() / 32).rounded()) * 32)
      return (offset.map { [wide(letter + "0", inner, $0)] } ?? []) + [
        .init(name: letter + "1", shape: [model, rank], decays: false, start: .constant(0)),
        .init(
          name: letter + "2", shape: [rank, inner], decays: false,
          start: .normal(deviation: 0.1 / Double(inner).squareRoot())),
      ]
    }
    func matrix(_ name: String, _ out: Int, _ input: Int, _ bound: Double) -> MixerParameter {
      .init(
        name: name + ".weight", shape: [out, input], decays: true,
        start: .uniform { (2 * $0 - 1) * bound / Double(model).squareRoot() })
    }
    var list = streams.map { wide("x_" + $0, model, starts.mixture($0)) }
    list += lowRank("w", 2.5, offset: starts.decay) + lowRank("a", 2.5, offset: starts.rate)
    if !isFirst(shape) { list += lowRank("v", 1.7, offset: starts.residual) }
    list += lowRank("g", 5, offset: nil)
    list += [
      wide("k_k", inner, starts.removal), wide("k_a", inner, .constant(1.02)),
      .init(name: "r_k", shape: [shape.heads, shape.keyWidth], decays: false, start: .constant(-0.04)),
      matrix("receptance", inner, model, 0.5), matrix("key", inner, model, 0.05),
      matrix("value", inner, model, 0.5), matrix("output", model, inner, 0),
      .vector("ln_x.weight", inner, .constant(starts.normGain)), .vector("ln_x.bias", inner, .constant(0)),
    ]
    return list
  }
}

/// Where vectors of RWKV-7 start: some channels of a layer with long memories, some with short ones.
private struct RWKV7Starts {
  private let model: Int
  private let inner: Int
  private let width: Int
  /// The layer's number, from 1.
  private let number: Int
  private let layers: Int
  /// The layer's place, 0 to 1.
  private let depth: Double
  /// What is above the layer, 1 to almost 0.
  private let rest: Double

  init(_ shape: MixerShape) {
    model = shape.modelDimension
    inner = shape.heads * shape.keyWidth
    width = shape.keyWidth
    number = shape.layer + 1
    layers = shape.layers
    depth = Double(shape.layer) / Double(max(1, shape.layers - 1))
    rest = 1 - Double(shape.layer) / Double(max(1, shape.layers))
  }

  func mixture(_ stream: String) -> ParameterStart {
    let power = (["r": 0.2, "g": 0.2, "k": 0.7, "v": 0.7][stream] ?? 0.9) * rest
    let model = Double(model)
    return .indexed { Float(1 - pow(Double($0) / model, power)) }
  }

  var normGain: Float { Float(pow(Double(number) / Double(max(1, layers)), 0.7)) }

  var decay: ParameterStart {
    let power = 1 + pow(depth, 0.3)
    let (place, zigzag) = (place, zigzag)
    return .indexed { Float(-6 + 6 * pow(place($0), power) + 0.5 + 2.5 * zigzag($0)) }
  }

  var rate: ParameterStart {
    let (place, zigzag) = (place, zigzag)
    return .indexed { Float(-0.19 + 0.3 * zigzag($0) + 0.4 * (place($0) - 0.5)) }
  }

  var residual: ParameterStart {
    let place = place
    return .indexed { Float(0.73 - 0.4 * (place($0) - 0.5)) }
  }

  var removal: ParameterStart {
    let place = place
    return .indexed { Float(0.71 - 0.1 * (place($0) - 0.5)) }
  }

  /// A channel's place among all, 0 to 1.
  private var place: @Sendable (Int) -> Double {
    let last = Double(max(1, inner - 1))
    return { Double($0) / last }
  }

  /// A channel's place in its head, -1 to 1, with its square as size.
  private var zigzag: @Sendable (Int) -> Double {
    let (width, half) = (width, max(0.5, Double(width - 1) / 2))
    return { channel in
      let x = (Double(channel % width) - Double(width - 1) / 2) / half
      return x * abs(x)
    }
  }
}
