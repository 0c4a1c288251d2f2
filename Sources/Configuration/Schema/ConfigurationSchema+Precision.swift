extension ConfigurationSchema {
  static let precisionKeys = [
    ConfigurationKey(
      "precision.recipe", \.precision.recipe,
      "A shipped recipe (\(Recipes.names.joined(separator: ", "))) or a YAML file that sets the keys below."),
    ConfigurationKey(
      "precision.forward_input", \.precision.forwardInput,
      "What x of y = x w^T is rounded to: none, or a format and its choices, such as 'mxfp4 rule=even'."),
    ConfigurationKey(
      "precision.forward_weight", \.precision.forwardWeight, "The same for w of y = x w^T."),
    ConfigurationKey(
      "precision.input_gradient_cotangent", \.precision.inputGradientCotangent,
      "The same for dy of dx = dy w."),
    ConfigurationKey(
      "precision.input_gradient_weight", \.precision.inputGradientWeight, "The same for w of dx = dy w."),
    ConfigurationKey(
      "precision.weight_gradient_cotangent", \.precision.weightGradientCotangent,
      "The same for dy of dw = dy^T x."),
    ConfigurationKey(
      "precision.weight_gradient_input", \.precision.weightGradientInput, "The same for x of dw = dy^T x."),
    ConfigurationKey(
      "precision.choices", \.precision.choices,
      "Choices for every rounded operand, such as block=16, or for one: forward_weight.block=16x16."),
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
  ]
}
