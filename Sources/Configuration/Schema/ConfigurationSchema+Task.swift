extension ConfigurationSchema {
  static let taskKeys = [
    ConfigurationKey(
      "task.pairs", \.task.pairs, range: .within(1, 4_194_304),
      "Pairs of key and value in a sequence of model.context tokens (mqar)."),
    ConfigurationKey(
      "task.held_out", \.task.heldOut, unit: "sequences", range: .within(1, 1e9), observes: true,
      "Sequences that evaluations measure accuracy on (mqar)."),
  ]
}
