import CHost
public import Kernels

/// Rotary position embedding: turns pairs of values of every head by an angle that grows with the position.
///
/// `(a, b) -> (a cos - b sin, b cos + a sin)` for the first `2 * pairs` values of a head; the others pass.
///
/// Inputs: x [batch, time, heads, dim], cosine and sine [positions, pairs] of a ``RotaryTable``, and with explicit
/// positions an int32 [batch, time]. The table's row is `positionOffset` plus the given position, or plus the place
/// in the sequence without one; a row outside the table gives NaN. Outputs: y like x. The gradient is the same
/// operation with the opposite direction; cosine and sine have none.
///
/// - SeeAlso: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
public struct RoPE: DifferentiableOperation {
  /// Which values make a pair.
  public enum Convention: String, Sendable, Hashable, CaseIterable {
    /// m and m + pairs (checkpoints of the Hugging Face layout).
    case half
    /// 2m and 2m + 1 (the paper).
    case interleaved
  }

  public static let name = "rope"
  public let convention: Convention
  public let positionOffset: Int
  public let hasPositions: Bool
  /// Turns by the negative angle: the transpose, which is the gradient.
  public let isInverse: Bool

  /// - Parameters:
  ///   - positionOffset: Position of the first token, not negative; the number of cached tokens when decoding.
  ///   - hasPositions: Explicit positions are among the inputs.
  public init(
    convention: Convention = .half, positionOffset: Int = 0, hasPositions: Bool = false,
    isInverse: Bool = false,
  ) {
    self.convention = convention
    self.positionOffset = positionOffset
    self.hasPositions = hasPositions
    self.isInverse = isInverse
  }

  public var signature: String {
    "x [batch, time, heads, dim], cosine [positions, pairs], sine [positions, pairs]"
      + (hasPositions ? ", position: int32 [batch, time]" : "") + " > y [batch, time, heads, dim]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    let (x, table) = (inputs[0].shape, inputs[1].shape)
    guard 2 * table[1] <= x[3] else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "\(table[1]) pairs do not fit heads of \(x[3]) values")
    }
    guard positionOffset >= 0, positionOffset <= Int(Int32.max) else {
      throw ShapeError(
        operation: Self.name, expected: signature, problem: "position offset \(positionOffset)")
    }
    guard hasPositions || x[1] <= table[0] - positionOffset else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "positions \(positionOffset)..<\(positionOffset + x[1]) reach beyond a table of \(table[0])")
    }
  }

  /// Where the values of pair m stand in a head.
  private func places(_ pair: Int, pairs: Int) -> (Int, Int) {
    switch convention {
    case .half: (pair, pair + pairs)
    case .interleaved: (2 * pair, 2 * pair + 1)
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let shape = inputs[0].shape
    let (rows, pairs) = (inputs[1].shape[0], inputs[1].shape[1])
    let direction: Scalar = isInverse ? -1 : 1
    outputs[0].values = inputs[0].values
    for token in 0..<shape[0] * shape[1] {
      let row = positionOffset + (hasPositions ? inputs[3].integer(token) : token % shape[1])
      for head in 0..<shape[2] {
        let start = (token * shape[2] + head) * shape[3]
        for pair in 0..<pairs {
          let isInside = row >= 0 && row < rows
          let cosine = isInside ? inputs[1][row * pairs + pair] : .nan
          let sine = isInside ? inputs[2][row * pairs + pair] * direction : .nan
          let (first, second) = places(pair, pairs: pairs)
          let (a, b) = (inputs[0][start + first], inputs[0][start + second])
          outputs[0][start + first] = a * cosine - b * sine
          outputs[0][start + second] = b * cosine + a * sine
        }
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory),
      let cosine = HostArray<Float>(inputs[1].memory), let sine = HostArray<Float>(inputs[2].memory)
    else { return }
    let positions = hasPositions ? HostArray<Int32>(inputs[3].memory) : nil
    let shape = inputs[0].shape
    let (time, heads, dim) = (shape[1], shape[2], shape[3])
    let (rows, pairs) = (inputs[1].shape[0], inputs[1].shape[1])
    device.threads.forRanges(shape[0] * time, grain: max(1, 32_768 / max(1, heads * dim))) { range in
      for token in range {
        let row = positionOffset + (positions.map { Int($0[token]) } ?? token % time)
        let start = token * heads * dim
        guard row >= 0, row < rows else {
          fillWithNaN(y.pointer + start, from: x.pointer + start, heads: heads, dim: dim, turned: 2 * pairs)
          continue
        }
        nibble_rotate(
          x.pointer + start, cosine.pointer + row * pairs, sine.pointer + row * pairs, y.pointer + start,
          convention == .interleaved ? 1 : 0, isInverse ? -1 : 1, heads, dim, pairs)
      }
    }
  }

  /// A position without a row in the table: not a plausible result.
  private func fillWithNaN(
    _ target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, heads: Int, dim: Int,
    turned: Int,
  ) {
    for index in 0..<heads * dim { target[index] = index % dim < turned ? .nan : source[index] }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = inputs[0].shape
    guard shape.count > 0 else { return }
    let lanes = device.description.lanes(atMost: 128)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32, UInt32, UInt32, UInt32, UInt32, Float, UInt32
      > = try device.kernel("rope", in: "rope", ["LANES": "\(lanes)"])
    let (tokens, heads, dim, pairs) = (shape[0] * shape[1], shape[2], shape[3], inputs[1].shape[1])
    // Heads of a processor's work-item.
    let block = lanes == 1 ? max(1, 8192 / dim) : 1
    let geometry =
      lanes == 1
      ? Geometry.groups((tokens * heads + block - 1) / block)
      : Geometry.groups((heads * (dim - pairs) + lanes - 1) / lanes, tokens)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(hasPositions ? inputs[3].memory : nil), Buffer(outputs[0].memory), UInt32(tokens),
      UInt32(heads), UInt32(dim), UInt32(pairs), UInt32(shape[1]), UInt32(positionOffset),
      UInt32(inputs[1].shape[0]), convention == .interleaved ? 1 : 0, isInverse ? -1 : 1, UInt32(block),
      over: geometry)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let x = inputs[0]
    let tokens = Double(x.shape[0] * x.shape[1])
    let turned = tokens * Double(x.shape[2] * 2 * inputs[1].shape[1])
    let table = tokens * Double(2 * inputs[1].shape[1])
    return Cost(flops: 3 * turned, bytes: 2 * Double(x.byteCount) + 4 * table)
  }

  public var saved: SavedTensors { SavedTensors(inputs: hasPositions ? [1, 2, 3] : [1, 2]) }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let inverse = RoPE(
      convention: convention, positionOffset: positionOffset, hasPositions: hasPositions,
      isInverse: !isInverse)
    let table = (hasPositions ? 1..<4 : 1..<3).map { context.input($0) }
    context.add(context.tape.apply(inverse, [cotangent] + table)[0], to: 0)
  }

  public static var samples: [Sample] {
    let shapes: [(Shape, Int)] = [
      ([1, 1, 1, 2], 1), ([2, 3, 2, 8], 4), ([1, 5, 3, 12], 5), ([2, 2, 1, 38], 17), ([1, 2, 7, 66], 32),
    ]
    let plain = shapes.flatMap { shape, pairs in
      Convention.allCases.map { convention in
        Sample(
          "\(convention.rawValue) \(shape) pairs \(pairs)",
          RoPE(convention: convention, positionOffset: pairs == 4 ? 2 : 0),
          [.init(shape), .init([6, pairs]), .init([6, pairs])], gradients: [0])
      }
    }
    let given = Convention.allCases.map { convention in
      Sample(
        "\(convention.rawValue) positions",
        RoPE(convention: convention, hasPositions: true, isInverse: convention == .interleaved),
        [.init([2, 3, 2, 20]), .init([7, 8]), .init([7, 8]), .init([2, 3], .int32, .integers(0..<7))],
        gradients: [0])
    }
    let outside = Sample(
      "positions outside the table", RoPE(hasPositions: true),
      [.init([1, 3, 2, 20]), .init([4, 8]), .init([4, 8]), .init([1, 3], .int32, .values([-1, 4, 3]))],
      gradients: [])
    return plain + given + [outside]
  }
}

extension Tape {
  /// Turns queries or keys by their positions; see ``RoPE``.
  ///
  /// - Parameters:
  ///   - x: [batch, time, heads, headDimension].
  ///   - table: Cosines and sines; its width says how many values of a head turn.
  ///   - positionOffset: Position of the first token.
  ///   - positions: int32 [batch, time] for tokens that do not stand in a row; nil counts from 0.
  public func rope(
    _ x: Tensor, table: RotaryTable, convention: RoPE.Convention = .half, positionOffset: Int = 0,
    positions: Tensor? = nil,
  ) -> Tensor {
    let rope = RoPE(convention: convention, positionOffset: positionOffset, hasPositions: positions != nil)
    return apply(rope, [x, table.cosine, table.sine] + (positions.map { [$0] } ?? []))[0]
  }
}
