/// Generated tasks: their sizes, and keys of text beside them.
extension Checks {
  mutating func checkTask() {
    switch configuration.data.task {
    case .text: refuseTaskKeys()
    case .mqar:
      checkRecallSizes()
      refuseTextKeys()
    }
  }

  private mutating func checkRecallSizes() {
    let (pairs, context) = (configuration.task.pairs, configuration.model.context)
    let vocabulary = configuration.model.vocabulary
    if context / 4 < pairs {
      found.append(
        Contradiction(
          ["data.task", "task.pairs", "model.context"],
          "task.pairs \(pairs) and their queries do not fit into model.context \(context)",
          hints: [
            "model.context=\(4 * pairs) at least"
              + (context >= 4 ? ", or task.pairs=\(context / 4) at most" : "")
          ]))
    }
    if vocabulary == 0 {
      // A checkpoint has its own.
      guard configuration.initialCheckpoint == nil else { return }
      found.append(
        Contradiction(
          ["data.task", "model.vocabulary"],
          "model.vocabulary is 0, but data.task mqar has no tokenizer to take the size from",
          hints: ["model.vocabulary=\(max(512, 2 * pairs))"]))
    } else if vocabulary / 2 < pairs {
      found.append(
        Contradiction(
          ["data.task", "task.pairs", "model.vocabulary"],
          "task.pairs \(pairs) needs as many different keys, but the lower half of model.vocabulary "
            + "\(vocabulary) has \(vocabulary / 2)",
          hints: ["model.vocabulary=\(2 * pairs) at least"]))
    }
  }

  /// Keys of text that say something nobody would read.
  private mutating func refuseTextKeys() {
    let (data, usual) = (configuration.data, DataSettings())
    let isChanged = [
      "data.path": data.path != usual.path, "data.validation": data.validation != usual.validation,
      "data.tokenizer": data.tokenizer != usual.tokenizer,
      "data.validation_fraction": data.validationFraction != usual.validationFraction,
      "data.separator": data.separator != usual.separator,
      "data.end_of_text": data.endOfText != usual.endOfText,
    ]
    refuse(isChanged, "data.task is mqar, which is generated", hint: "data.task=text")
    // A sample of a preset is refused too: nobody could show it.
    guard configuration.evaluation.sampleEvery > 0 else { return }
    found.append(
      Contradiction(
        ["data.task", "evaluation.sample_every"],
        "evaluation.sample_every is \(configuration.evaluation.sampleEvery), but tokens of data.task mqar are no text",
        hints: ["evaluation.sample_every=0"]))
  }

  private mutating func refuseTaskKeys() {
    let (task, usual) = (configuration.task, TaskSettings())
    let isChanged = [
      "task.pairs": task.pairs != usual.pairs, "task.held_out": task.heldOut != usual.heldOut,
    ]
    refuse(isChanged, "data.task is text", hint: "data.task=mqar")
  }

  /// Refuses keys that a person set to something else than the default, in the order of the schema.
  private mutating func refuse(_ isChanged: [String: Bool], _ reason: String, hint: String) {
    for key in ConfigurationSchema.keys where isChanged[key.name] == true {
      guard let origin = origins[key.name], origin.isPersonal else { continue }
      found.append(
        Contradiction(
          ["data.task", key.name], "\(key.name) \(origin.place) has no effect: \(reason)",
          hints: ["leave out \(key.name), or \(hint)"]))
    }
  }
}
