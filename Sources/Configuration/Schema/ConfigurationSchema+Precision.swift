extension ConfigurationSchema {
  static let precisionKeys = [
    ConfigurationKey(
      "precision.recipe", \.precision.recipe,
      "A shipped recipe (\(Recipes.names.joined(separator: ", "))) or a YAML file that sets the keys below."),
    ConfigurationKey(
      "precision.fprop_input", \.precision.fpropInput,
      "What x of y = x w^T is rounded to: none, or a format and its choices, such as 'mxfp4 rule=even'."),
    ConfigurationKey(
      "precision.fprop_weight", \.precision.fpropWeight, "The same for w of y = x w^T."),
    ConfigurationKey(
      "precision.dgrad_cotangent", \.precision.dgradCotangent,
      "The same for dy of dx = dy w."),
    ConfigurationKey(
      "precision.dgrad_weight", \.precision.dgradWeight, "The same for w of dx = dy w."),
    ConfigurationKey(
      "precision.wgrad_cotangent", \.precision.wgradCotangent,
      "The same for dy of dw = dy^T x."),
    ConfigurationKey(
      "precision.wgrad_input", \.precision.wgradInput, "The same for x of dw = dy^T x."),
    ConfigurationKey(
      "precision.activations", \.precision.activations,
      "How activations are kept for the backward: fp32, or rounded to bf16 before anything reads them."),
    ConfigurationKey(
      "precision.weights", \.precision.weights,
      "How weights are stored: fp32, or bf16 without another copy, rounded stochastically after each update."),
    ConfigurationKey(
      "precision.choices", \.precision.choices,
      "Choices for every rounded operand, such as block=16, or for one: fprop_weight.block=16x16."),
    ConfigurationKey(
      "precision.exclude", \.precision.exclude,
      "Linear layers whose name has one of these parts stay in single precision: down_proj, layers.0."),
    ConfigurationKey(
      "precision.full_first", \.precision.fullFirst, unit: "layers", range: .within(0, 65_536),
      "First layers that stay in single precision."),
    ConfigurationKey(
      "precision.full_last", \.precision.fullLast, unit: "layers", range: .within(0, 65_536),
      "Last layers that stay in single precision."),
    ConfigurationKey(
      "precision.full_steps", \.precision.fullSteps, range: .within(0, 1),
      "Share of the steps, the last ones, in single precision."),
    ConfigurationKey(
      "precision.measure_every", \.precision.measureEvery, unit: "steps", range: .within(0, 1e9),
      observes: true,
      "Steps between measurements of rounding (error, underflow, saturation, bias) in metrics.jsonl, 0 for none."
    ),
    ConfigurationKey(
      "precision.oscillation_every", \.precision.oscillationEvery, unit: "steps", range: .within(0, 1e9),
      observes: true,
      "Steps between reports of weights whose codes go back and forth (scale=lsq or statsq) in metrics.jsonl, 0 for none."
    ),
    ConfigurationKey(
      "precision.anneal_steps", \.precision.annealSteps, unit: "steps", range: .within(0, 1e9),
      "Last steps in which only weights near a threshold between two codes move, so that they settle."),
    ConfigurationKey(
      "precision.anneal_radius", \.precision.annealRadius, range: .within(0, 0.5),
      "How near to a threshold, in steps between two levels."),
  ]
}
