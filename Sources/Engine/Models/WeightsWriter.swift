import Files

/// Writes a model's tensors as model.safetensors, or as shards with an index when they are large.
struct WeightsWriter {
  let shardByteCount: Int

  /// - Parameter values: The tensor's elements by name, asked for one tensor at a time.
  func write(
    _ tensors: [SafetensorsDeclaration], to folder: String, values: (String) throws -> [Float],
  ) throws {
    let shards = split(tensors)
    guard shards.count > 1 else {
      return try writeFile(tensors, to: folder + "/model.safetensors", values)
    }
    var map = JSONObject()
    for (index, shard) in shards.enumerated() {
      let name = "model-\(padded(index + 1))-of-\(padded(shards.count)).safetensors"
      try writeFile(shard, to: folder + "/" + name, values)
      for tensor in shard { map[tensor.name] = .string(name) }
    }
    let total = tensors.reduce(0) { $0 + byteCount($1) }
    let index: JSON = ["metadata": ["total_size": .integer(Int64(total))], "weight_map": .object(map)]
    try index.write(to: folder + "/model.safetensors.index.json")
  }

  private func writeFile(
    _ tensors: [SafetensorsDeclaration], to path: String, _ values: (String) throws -> [Float],
  ) throws {
    let writer = try SafetensorsWriter(path: path, tensors: tensors)
    for tensor in writer.order { try writer.append(tensor.name, floats: values(tensor.name)) }
    try writer.finish()
  }

  /// Consecutive tensors until a shard is full; a tensor larger than a shard has one of its own.
  private func split(_ tensors: [SafetensorsDeclaration]) -> [[SafetensorsDeclaration]] {
    var shards: [[SafetensorsDeclaration]] = [[]]
    var size = 0
    for tensor in tensors {
      let bytes = byteCount(tensor)
      if size > 0, size + bytes > shardByteCount {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(tensor)
      size += bytes
    }
    return shards
  }

  private func byteCount(_ tensor: SafetensorsDeclaration) -> Int {
    tensor.shape.reduce(tensor.type.bitCount / 8, *)
  }

  private func padded(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }
}
