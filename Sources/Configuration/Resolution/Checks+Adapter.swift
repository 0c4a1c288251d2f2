extension Checks {
  /// Adapters need weights to stand on, and their settings need adapters.
  mutating func checkAdapter() {
    let adapter = configuration.adapter
    guard adapter.rank > 0 else {
      if adapter != AdapterSettings() {
        add(
          ["adapter.rank"], "the adapter's settings have no effect: adapter.rank is 0",
          "adapter.rank=16, for example, or leave them out")
      }
      return
    }
    if configuration.initialCheckpoint == nil {
      add(
        ["adapter.rank", "init"], "adapter.rank is \(adapter.rank), but there are no weights to adapt",
        "init=MODEL, a folder with a trained model")
    }
    if adapter.initialization == .loraGA, adapter.base != .fp32 {
      add(
        ["adapter.initialization", "adapter.base"],
        "adapter.initialization lora_ga changes the weights below, which adapter.base \(adapter.base.rawValue) rounds",
        "adapter.base=fp32, or adapter.initialization=standard")
    }
    if adapter.initialization == .standard,
      adapter.gradientBatches != AdapterSettings().gradientBatches
    {
      add(
        ["adapter.gradient_batches"],
        "adapter.gradient_batches has no effect: adapter.initialization is standard",
        "adapter.initialization=lora_ga")
    }
  }
}
