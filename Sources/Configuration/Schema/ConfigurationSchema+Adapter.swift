extension ConfigurationSchema {
  static let adapterKeys = [
    ConfigurationKey(
      "adapter.rank", \.adapter.rank, range: .within(0, 65_536),
      "Rank of the adapters (LoRA) that are trained on top of the frozen weights of `init`, 0 for none."),
    ConfigurationKey(
      "adapter.alpha", \.adapter.alpha, range: .above(0, upTo: 1e6),
      "Adapters are multiplied with alpha / rank."),
    ConfigurationKey(
      "adapter.dropout", \.adapter.dropout, range: .halfOpen(0, 1),
      "Share of an adapter's inputs that are zero in training, by chance."),
    ConfigurationKey(
      "adapter.targets", \.adapter.targets,
      "Linear layers whose name has one of these parts get adapters: q_proj, layers.0; all when empty."),
    ConfigurationKey(
      "adapter.rslora", \.adapter.rslora, "Whether adapters are multiplied with alpha / sqrt(rank) instead."),
    ConfigurationKey(
      "adapter.initialization", \.adapter.initialization,
      "What adapters begin with: standard (zero), or singular vectors of the gradient (lora_ga)."),
    ConfigurationKey(
      "adapter.base", \.adapter.base,
      "How the frozen weights of linear layers are stored: fp32, or in 4 bits (QLoRA)."),
    ConfigurationKey(
      "adapter.gradient_batches", \.adapter.gradientBatches, unit: "micro-batches", range: .within(1, 1e6),
      "How much text the gradient of adapter.initialization=lora_ga is taken over."),
  ]
}
