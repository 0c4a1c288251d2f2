import Configuration
import Engine
import Kernels
import NumberFormats
import Terminal

/// What a run will need, before it starts.
struct RunPlan {
  let request: RunRequest
  let model: ModelConfiguration
  let options: TrainingOptions
  let estimate: TrainingEstimate
  /// Of a token, on hardware that has the formats; nil with adapters.
  let recipe: RecipeCost?
  let device: DeviceDescription
  /// FLOPs per second of a large matrix product on the device, measured; nil when it could not be.
  let matmulRate: Double?
  /// Counted when the text has been made into tokens.
  var trainingTokens: Int?
  var validationTokens: Int?
  let revision: SourceRevision?
  /// The step that a resumed run stands at.
  let firstStep: Int

  /// Steps of this configuration reach this share of a large product's rate; measured steps replace it.
  static let expectedShare = 0.2...0.8

  /// Whether the device can hold it, and why not.
  var problem: Failure? {
    let needed = estimate.totalByteCount
    let arena = estimate.weightByteCount
    if needed > device.memoryByteCount {
      return Failure(
        "the run does not fit on \(device.name): it needs \(Numbers.bytes(needed)) of \(Numbers.bytes(device.memoryByteCount))",
        details: [memoryParts], hints: hints, exitCode: .doesNotFit)
    }
    let smaller = "a smaller model, or another device: nibble devices"
    if arena > device.largestAllocation { return oversize("the weights take", arena, hint: smaller) }
    let largest = estimate.largestAllocation
    guard largest > device.largestAllocation else { return nil }
    let micro = options.microBatch
    return oversize(
      "the largest tensor takes", largest,
      hint: micro > 1 ? "batch.micro=\(micro / 2) halves it; the result stays the same" : smaller)
  }

  private func oversize(_ what: String, _ byteCount: Int, hint: String) -> Failure {
    Failure(
      "\(what) \(Numbers.bytes(byteCount)) in one piece, but \(device.name) allows "
        + Numbers.bytes(device.largestAllocation),
      hints: [hint], exitCode: .doesNotFit)
  }

  private var hints: [String] {
    let activations = estimate.activationByteCount
    guard activations > estimate.totalByteCount / 2 else {
      return ["a smaller model, or another device: nibble devices"]
    }
    var hints: [String] = []
    if options.microBatch > 1 {
      hints.append(
        "batch.micro=\(max(1, options.microBatch / 2)) halves the activations; the result stays the same")
    }
    if !options.recomputesLayers {
      hints.append("batch.recompute=true keeps less for the backward; the result stays the same")
    }
    if model.storage.activations == .fp32 {
      hints.append("precision.activations=bf16 rounds activations and keeps them in half the bytes")
    }
    return hints.isEmpty ? ["a smaller model, or another device: nibble devices"] : hints
  }

  /// Seconds of a step: from a fast to a slow guess.
  var stepSeconds: ClosedRange<Double>? {
    guard let matmulRate, matmulRate > 0 else { return nil }
    let ideal = estimate.flopsPerStep / matmulRate
    return ideal / Self.expectedShare.upperBound...ideal / Self.expectedShare.lowerBound
  }

  private var memoryParts: String {
    "weights \(Numbers.bytes(estimate.weightByteCount)), gradients \(Numbers.bytes(estimate.gradientByteCount)), "
      + "optimizer \(Numbers.bytes(estimate.optimizerByteCount)), activations "
      + Numbers.bytes(estimate.activationByteCount)
  }

  func lines(_ glyphs: Glyphs) -> [String] {
    let dot = glyphs.separator
    let source = revision.map { "\(dot)revision \($0.short)\($0.isModified ? " (modified)" : "")" } ?? ""
    var lines = ["nibble train  \(request.name)\(dot)seed \(request.values.seed)\(source)"]
    func add(_ label: String, _ text: String) {
      lines.append("  " + label + String(repeating: " ", count: max(1, 10 - label.count)) + text)
    }
    add("model", modelText(dot))
    add("data", dataText(dot))
    let micro = options.sequencesPerStep / max(1, options.microBatch)
    add(
      "step",
      "\(Numbers.grouped(options.tokensPerStep)) tokens = \(micro) micro-batch\(micro == 1 ? "" : "es") of "
        + "\(options.microBatch) \(glyphs.times) \(options.contextLength)\(dot)\(Numbers.si(estimate.flopsPerStep, unit: "FLOP"))"
    )
    add(
      "memory",
      "\(Numbers.bytes(estimate.totalByteCount)) of \(Numbers.bytes(device.memoryByteCount)): \(memoryParts)")
    if let text = recipeText { add("rounding", text) }
    add("device", deviceText(dot))
    add("time", timeText(dot))
    let state = firstStep == 0 ? "new" : "continues after step \(Numbers.grouped(firstStep))"
    add("output", "\(request.folder) (\(state))")
    for choice in request.choices { add("chosen", choice) }
    for change in request.changes { add("changed", change.description) }
    return lines
  }

  private func modelText(_ dot: String) -> String {
    let start = request.values.initialCheckpoint.map { "\(dot)from \($0)" } ?? ""
    let frozen = estimate.frozenCount
    let count =
      (frozen > 0 ? "\(Numbers.si(Double(frozen))) frozen, " : "")
      + "\(Numbers.si(Double(estimate.parameterCount))) parameters"
      + (model.adapter.map { " in adapters of rank \($0.rank)" } ?? "")
    return
      "\(model.architecture), \(model.layers) layers, \(model.modelDimension) wide, \(model.heads) heads\(dot)"
      + "\(count)\(dot)\(packedText)\(storageText)\(start)"
  }

  /// How weights are stored, and activations where that is another way.
  private var storageText: String {
    let storage = model.storage
    let weights = storage.weights.rawValue
    return storage.activations == storage.weights
      ? weights : "\(weights), activations \(storage.activations.rawValue)"
  }

  /// How frozen weights are stored, in front of what the others are.
  private var packedText: String {
    guard let base = model.adapter?.base else { return "" }
    let bytes = Double(estimate.packed.byteCount) / Double(max(1, estimate.packed.count))
    return "linear layers \(base.rawValue) (\(Numbers.fixed(bytes, decimals: 3)) bytes a weight), else "
  }

  private func dataText(_ dot: String) -> String {
    let (data, task) = (request.values.data, request.values.task)
    guard data.task == .text else {
      return
        "\(data.task.rawValue), generated\(dot)\(task.pairs) pairs in \(options.contextLength) tokens of "
        + "\(Numbers.grouped(model.vocabularySize)) kinds\(dot)\(Numbers.grouped(task.heldOut)) sequences held out"
    }
    let tokens =
      trainingTokens.map { training in
        "\(dot)\(Numbers.si(Double(training))) training tokens, \(Numbers.si(Double(validationTokens ?? 0))) for validation"
      } ?? ""
    return
      "\(data.path ?? "")\(dot)tokens: \(tokenizerText), \(Numbers.grouped(model.vocabularySize)) kinds\(tokens)"
  }

  private var tokenizerText: String {
    switch request.values.data.tokenizer {
    case .bytes: "bytes"
    case .file(let path): path
    case .bytePairs(let count): "bpe:\(count)"
    }
  }

  /// What rounding would cost on hardware with the formats; nil where nothing is rounded.
  private var recipeText: String? {
    guard let recipe, recipe.operations > 0 else { return nil }
    return "on hardware with the formats, modelled: \(Numbers.si(recipe.operations)) extra operations and "
      + "\(Numbers.si(recipe.bytes, unit: "B")) a token (BF16 \(Numbers.si(recipe.baselineBytes, unit: "B"))); linear layers take "
      + "\(Numbers.fixed(recipe.relativeTime, decimals: 2)) of BF16's time"
  }

  private func deviceText(_ dot: String) -> String {
    let rate = matmulRate.map { "\(dot)matrix product \(Numbers.si($0, unit: "FLOP/s")) (measured)" } ?? ""
    return "\(device.name), \(DeviceChoice.title(of: device))\(rate)"
  }

  private func timeText(_ dot: String) -> String {
    let limit = options.seconds.map { "at most \(Numbers.duration($0))" }
    let isOpen = options.steps == TrainingOptions.unlimitedSteps
    let left = max(0, options.steps - firstStep)
    guard let range = stepSeconds else {
      let steps = isOpen ? "steps as they fit" : "\(Numbers.grouped(left)) steps"
      return [steps, limit, "unknown until the first steps are timed"].compactMap { $0 }.joined(
        separator: dot)
    }
    let step =
      "\(Numbers.duration(range.lowerBound)) to \(Numbers.duration(range.upperBound)) a step (a guess until steps are timed)"
    if isOpen { return [step, limit].compactMap { $0 }.joined(separator: dot) }
    let total =
      "\(Numbers.grouped(left)) steps = \(Numbers.duration(range.lowerBound * Double(left))) to "
      + Numbers.duration(range.upperBound * Double(left))
    return [step, total, limit].compactMap { $0 }.joined(separator: dot)
  }

  var json: JSONText {
    let range = stepSeconds
    let isOpen = options.steps == TrainingOptions.unlimitedSteps
    return [
      "schema": 1, "kind": "plan", "fits": .boolean(problem == nil), "run": .string(request.folder),
      "resumed": .boolean(request.origin == .resumed), "first_step": .integer(firstStep),
      "steps": isOpen ? .null : .integer(options.steps), "limit_s": JSONText(options.seconds),
      "seed": .integer(request.values.seed), "architecture": .string(model.architecture),
      "parameters": .integer(estimate.parameterCount),
      "frozen_parameters": .integer(estimate.frozenCount),
      "packed_parameters": .integer(estimate.packed.count),
      "packed_bytes": .integer(estimate.packed.byteCount), "vocabulary": .integer(model.vocabularySize),
      "data": JSONText(request.values.data.name),
      "training_tokens": trainingTokens.map { .integer($0) } ?? .null,
      "validation_tokens": validationTokens.map { .integer($0) } ?? .null,
      "tokens_per_step": .integer(options.tokensPerStep), "micro_batch": .integer(options.microBatch),
      "context": .integer(options.contextLength), "flops_per_step": .number(estimate.flopsPerStep),
      "memory_bytes": .integer(estimate.totalByteCount),
      "device_memory_bytes": .integer(device.memoryByteCount),
      "weight_bytes": .integer(estimate.weightByteCount),
      "gradient_bytes": .integer(estimate.gradientByteCount),
      "optimizer_bytes": .integer(estimate.optimizerByteCount),
      "extra_operations_per_token": JSONText(recipe?.operations),
      "modelled_bytes_per_token": JSONText(recipe?.bytes),
      "modelled_bf16_bytes_per_token": JSONText(recipe?.baselineBytes),
      "modelled_time_to_bf16": JSONText(recipe?.relativeTime),
      "activation_bytes": .integer(estimate.activationByteCount), "device": .string(device.name),
      "product": .string(device.product), "matmul_flops_per_s": JSONText(matmulRate),
      "step_time_low_s": JSONText(range?.lowerBound), "step_time_high_s": JSONText(range?.upperBound),
      "changes": .array(request.changes.map { .string($0.description) }),
      "choices": .array(request.choices.map { .string($0) }),
    ]
  }
}

/// Times a large matrix product, the yardstick of plans and of the share shown while training.
enum MatmulRate {
  /// FLOPs per second of the best of three 768 x 768 products; nil when the device fails.
  static func measure(on device: any OperationDevice) -> Double? {
    let size = 768
    let tape = Tape(on: device, isRecording: false)
    let values = [Float](repeating: 0.5, count: size * size)
    let a = Tensor(values, shape: [size, size], on: device)
    let b = Tensor(values, shape: [size, size], on: device)
    var best = 0.0
    do {
      for run in 0..<4 {
        let start = Call.now()
        tape.apply(MatMul(transposeB: true), [a, b])
        try device.finish()
        // The first run compiles the kernel.
        if run > 0 { best = max(best, 2 * Double(size * size * size) / (Call.now() - start)) }
      }
    } catch {
      return nil
    }
    return best
  }
}
