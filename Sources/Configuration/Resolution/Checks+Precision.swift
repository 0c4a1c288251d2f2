import NumberFormats

extension Checks {
  /// Formats that exist, transforms that both operands of a product have, and no setting without a rounded operand.
  mutating func checkPrecision() {
    let precision = configuration.precision
    let formats: LinearFormats
    do {
      formats = try precision.formats()
    } catch let mistake as PrecisionSettings.Mistake {
      return add([mistake.key], mistake.message, mistake.hint)
    } catch {
      return add(["precision.recipe"], "\(error)", "leave it out")
    }
    checkTransforms(formats)
    // A file with every key may repeat the defaults.
    if formats.isFull {
      for key in ["exclude", "full_first", "full_last", "full_steps", "measure_every"].map({
        "precision." + $0
      }) where isChanged(key) {
        add([key], "\(key) has no effect: no operand is rounded", "choose a precision.recipe")
      }
    }
    if !formats.isFull, configuration.adapter.base != .fp32 {
      add(
        ["adapter.base", "precision.recipe"],
        "adapter.base \(configuration.adapter.base.rawValue) holds the weights in four bits already: products with them"
          + " are not rounded again", "adapter.base=fp32, or leave out the precision keys")
    }
    if configuration.adapter.rank > 0,
      [formats.fpropWeight, formats.fpropInput].contains(where: { $0?.scaleSource == .learned })
    {
      add(
        ["precision.fprop_weight", "adapter.rank"],
        "scale=lsq trains scales beside the weights, but adapters leave all that is there as it is",
        "scale=statsq or fp32, or adapter.rank=0")
    }
    if configuration.adapter.rank > 0, let weight = formats.fpropWeight, weight.estimator != .straightThrough
    {
      add(
        ["precision.fprop_weight", "adapter.rank"],
        "estimator=\(weight.estimator.rawValue) has no effect: adapters leave the weights without gradients",
        "estimator=straight_through, or adapter.rank=0")
    }
    checkUniformWeights(formats)
    checkStorage()
    let layers = configuration.model.layers
    if precision.fullFirst + precision.fullLast >= layers, !formats.isFull {
      add(
        ["precision.full_first", "precision.full_last"],
        "precision.full_first \(precision.fullFirst) and precision.full_last \(precision.fullLast) leave none of"
          + " \(layers) layers to round",
        "their sum must be below model.layers")
    }
  }

  /// What only codes of weights under learned or statistical scales have.
  private mutating func checkUniformWeights(_ formats: LinearFormats) {
    let precision = configuration.precision
    if formats.fpropWeight?.uniformGrid == nil {
      for key in ["oscillation_every", "anneal_steps"].map({ "precision." + $0 }) where isChanged(key) {
        add(
          [key, "precision.fprop_weight"],
          "\(key) has no effect: weights have no learned or statistical scales",
          "precision.recipe=qat-int4 or qat-int2, or scale=lsq or statsq in precision.fprop_weight")
      }
    }
    if precision.annealSteps == 0, isChanged("precision.anneal_radius") {
      add(
        ["precision.anneal_radius"],
        "precision.anneal_radius has no effect: precision.anneal_steps is 0", "set precision.anneal_steps")
    }
    if configuration.minutes == nil, precision.annealSteps > 0, precision.annealSteps >= configuration.steps {
      add(
        ["precision.anneal_steps", "steps"],
        "precision.anneal_steps \(precision.annealSteps) leaves none of \(configuration.steps) steps to train in",
        "fewer steps than there are")
    }
    if precision.annealSteps > 0, precision.fullSteps > 0 {
      add(
        ["precision.anneal_steps", "precision.full_steps"],
        "precision.anneal_steps settles codes in the last steps, which precision.full_steps takes in single precision",
        "leave one of them out")
    }
    if configuration.adapter.rank > 0, precision.annealSteps > 0 || precision.oscillationEvery > 0 {
      add(
        ["precision.anneal_steps", "precision.oscillation_every", "adapter.rank"],
        "adapters leave the weights as they are: their codes neither oscillate nor settle", "adapter.rank=0")
    }
  }

  /// Weights in two bytes are those that are trained, wherever they move.
  private mutating func checkStorage() {
    let precision = configuration.precision
    guard precision.weights != .fp32 else { return }
    if configuration.adapter.rank > 0 {
      add(
        ["precision.weights", "adapter.rank"],
        "precision.weights \(precision.weights.rawValue) is for weights that are trained: below adapters they stay as they are",
        "adapter.base stores the weights below in four bits; leave out precision.weights")
    }
    if precision.annealSteps > 0 {
      add(
        ["precision.weights", "precision.anneal_steps"],
        "precision.weights \(precision.weights.rawValue) moves weights by chance, but annealing holds most of them where they are",
        "leave out precision.weights, or precision.anneal_steps=0")
    }
  }

  private mutating func checkTransforms(_ formats: LinearFormats) {
    let products = [
      ("fprop_input", formats.fpropInput?.hadamard, "fprop_weight", formats.fpropWeight?.hadamard),
      (
        "dgrad_cotangent", formats.dgradCotangent?.hadamard, "dgrad_weight",
        formats.dgradWeight.rounded?.hadamard
      ),
      (
        "wgrad_cotangent", formats.wgradCotangent?.hadamard, "wgrad_input",
        formats.wgradInput.rounded?.hadamard
      ),
    ]
    for (first, a, second, b) in products where a != b {
      add(
        ["precision.\(first)", "precision.\(second)"],
        "precision.\(first) and precision.\(second) have different Hadamard transforms, which would not cancel",
        "give both the same hadamard=16, 32, 64 or 128")
    }
    if formats.dgradWeight == .forward, formats.fpropWeight?.hadamard != nil {
      refuseForward("dgrad_weight", "fprop_weight")
    }
    if formats.wgradInput == .forward, formats.fpropInput?.hadamard != nil {
      refuseForward("wgrad_input", "fprop_input")
    }
  }

  private mutating func refuseForward(_ backward: String, _ forward: String) {
    add(
      ["precision.\(backward)", "precision.\(forward)"],
      "precision.\(backward) cannot be forward's: that is transformed along another sum",
      "precision.\(forward) without hadamard, or a format of its own")
  }
}
