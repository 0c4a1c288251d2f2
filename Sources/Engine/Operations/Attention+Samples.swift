import Kernels

extension Attention {
  public static var samples: [Sample] {
    [
      sample("full t7 d16", time: 7, width: 16, causal: false),
      sample("causal t1 d4", time: 1, width: 4),
      sample("causal t25 d8", time: 25, width: 8),
      sample("causal t49 d12 groups", time: 49, width: 12, heads: 4, keyHeads: 2),
      sample("causal t5 on 33", time: 33, queryTime: 5, width: 8, batch: 2),
      sample("decode t1 on 70 groups", time: 70, queryTime: 1, width: 8, heads: 4, keyHeads: 2),
      sample("decode t3 on 130", time: 130, queryTime: 3, width: 4),
      sample("dead rows", time: 4, queryTime: 9, width: 8),
      sample("window 3 left", time: 40, width: 4, left: 3),
      sample("window 5 left 2 right", time: 31, width: 4, causal: false, left: 5, right: 2),
      sample("softcap", time: 13, width: 8, softcap: 2),
      sample("alibi", time: 14, width: 8, heads: 2, keyHeads: 1, slopes: true),
      sample("sinks", time: 11, width: 8, heads: 2, sinks: true),
      sample("documents", time: 27, width: 4, documents: true),
      sample("mask", time: 19, queryTime: 10, width: 4, causal: false, mask: true),
      sample(
        "everything", time: 26, width: 4, left: 9, softcap: 3, slopes: true, sinks: true, documents: true,
        mask: true),
      sample("value width 12", time: 9, width: 8, valueWidth: 12),
      sample("d80", time: 6, width: 80),
      sample("d256", time: 3, width: 256, batch: 1),
      sample("large scores", time: 12, width: 16, deviation: 3),
    ]
  }

  private static func sample(
    _ label: String, time: Int, queryTime: Int? = nil, width: Int, valueWidth: Int? = nil, batch: Int = 1,
    heads: Int = 1, keyHeads: Int? = nil, causal: Bool = true, left: Int? = nil, right: Int? = nil,
    softcap: Float = 0, slopes: Bool = false, sinks: Bool = false, documents: Bool = false,
    mask: Bool = false,
    deviation: Double = 1,
  ) -> Sample {
    let options = AttentionOptions(
      scale: 1 / Float(width).squareRoot(), isCausal: causal, windowLeft: left, windowRight: right,
      softcap: softcap, hasSlopes: slopes, hasSinks: sinks, hasDocuments: documents, hasMask: mask)
    let queryTime = queryTime ?? time
    let groups = keyHeads ?? heads
    let fill = Sample.Fill.normal(deviation: deviation)
    var inputs: [Sample.Input] = [
      .init([batch, queryTime, heads, width], .float32, fill),
      .init([batch, time, groups, width], .float32, fill),
      .init([batch, time, groups, valueWidth ?? width]),
    ]
    if slopes { inputs.append(.init([heads], .float32, .uniform(0.1...0.6))) }
    if sinks { inputs.append(.init([heads])) }
    if documents {
      let numbers = (0..<batch * time).map { Float($0 % time / 7) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    if mask { inputs.append(.init([queryTime, time], .uint8, .integers(0..<2))) }
    return Sample(
      label, Attention(options, returnsEntropy: !sinks), inputs,
      gradients: Set([0, 1, 2] + (sinks ? [options.sinksPosition] : [])), differentiableOutputs: [0])
  }
}

extension AttentionGradient {
  /// Forward values of the gradient itself; what it must be is checked through ``Attention/samples``.
  public static var samples: [Sample] {
    [(1, 4, 1, 1), (30, 8, 2, 1), (73, 4, 2, 2)].map { time, width, heads, keyHeads in
      let options = AttentionOptions(scale: 0.4, isCausal: true)
      let rows: Shape = [1, time, heads, width]
      let keys: Shape = [1, time, keyHeads, width]
      let forward = values(options, rows, keys)
      return Sample(
        "t\(time) d\(width) h\(heads)/\(keyHeads)", AttentionGradient(options),
        [
          .init(rows, .float32, .values(forward.query)), .init(keys, .float32, .values(forward.key)),
          .init(keys, .float32, .values(forward.value)), .init(rows, .float32, .values(forward.output)),
          .init([1, heads, time], .float32, .values(forward.logSumExp)), .init(rows),
        ])
    }
  }

  /// Consistent operands: the output and log-sum-exp that the forward gives for some query, key and value.
  private static func values(
    _ options: AttentionOptions, _ rows: Shape, _ keys: Shape,
  ) -> (query: [Float], key: [Float], value: [Float], output: [Float], logSumExp: [Float]) {
    let random = CounterRandom(seed: 3, stream: "attention gradient \(rows)")
    let all = random.normals(rows.count + 2 * keys.count, deviation: 1)
    let query = Array(all[0..<rows.count])
    let key = Array(all[rows.count..<rows.count + keys.count])
    let value = Array(all[(rows.count + keys.count)...])
    let inputs = [(rows, query), (keys, key), (keys, value)].map {
      ReferenceTensor<Double>($0, $1.map(Double.init))
    }
    var outputs = [ReferenceTensor<Double>(rows), ReferenceTensor<Double>([rows[0], rows[2], rows[1]])]
    Attention(options).reference(inputs, &outputs)
    return (query, key, value, outputs[0].values.map { Float($0) }, outputs[1].values.map { Float($0) })
  }
}
