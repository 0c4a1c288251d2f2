import Kernels

/// Small odd attentions of a class of head widths, at the width that the class's kernels are built for.
///
/// The samples of ``Attention`` are narrow, as their gradients are compared with differences; here formulas are taken as
/// right, and what a configuration can break is asked for: rows and keys that fill no block, groups, masks. Options that
/// are macros come together in one case, since every program takes its time to build.
struct AttentionChecks {
  /// Values of a head.
  let width: Int

  /// Queries that go through the kernels of many rows; their gradient through those of the gradient.
  ///
  /// - Parameter hasGradient: Whether the gradients are compared, too.
  func blocks(hasGradient: Bool) -> [Sample] {
    [
      sample("causal", rows: 25, time: 25, hasGradient: hasGradient),
      sample("groups", rows: 9, time: 25, heads: 4, hasGradient: hasGradient),
      sample("window", rows: 25, time: 25, left: 3, hasGradient: hasGradient),
      sample("masked, sinks", rows: 9, time: 25, heads: 4, isMasked: true, hasGradient: hasGradient),
      sample("narrower", rows: 13, time: 13, less: 4, hasGradient: hasGradient),
    ]
  }

  /// Few queries on many keys.
  var decode: [Sample] {
    [
      sample("groups", rows: 3, time: 130, heads: 4), sample("window", rows: 1, time: 130, left: 70),
      sample("masked, sinks", rows: 3, time: 130, heads: 4, isMasked: true),
      sample("narrower", rows: 3, time: 130, less: 4),
    ]
  }

  /// - Parameters:
  ///   - less: By how much heads are narrower than the class.
  ///   - heads: Two share a key head.
  ///   - isMasked: By documents and a mask at once, with sinks.
  private func sample(
    _ label: String, rows: Int, time: Int, less: Int = 0, heads: Int = 1, left: Int? = nil,
    isMasked: Bool = false, hasGradient: Bool = false,
  ) -> Sample {
    let (columns, groups) = (width - less, max(1, heads / 2))
    let options = AttentionOptions(
      scale: 1 / Float(columns).squareRoot(), isCausal: true, windowLeft: left, hasSinks: isMasked,
      hasDocuments: isMasked, hasMask: isMasked)
    let keys = Sample.Input([1, time, groups, columns])
    var inputs: [Sample.Input] = [.init([1, rows, heads, columns]), keys, keys]
    if isMasked {
      inputs += [
        .init([heads]), .init([1, time], .int32, .values((0..<time).map { Float($0 / 7) })),
        .init([rows, time], .uint8, .integers(0..<2)),
      ]
    }
    return Sample(
      "\(label) t\(rows)/\(time) d\(columns) h\(heads)/\(groups)", Attention(options), inputs,
      gradients: hasGradient ? Set([0, 1, 2] + (isMasked ? [options.sinksPosition] : [])) : [],
      differentiableOutputs: [0])
  }
}
