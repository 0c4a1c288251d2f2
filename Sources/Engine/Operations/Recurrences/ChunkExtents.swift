import Kernels

/// A recurrence's lengths as its kernels walk them.
struct ChunkExtents {
  let size: RecurrenceExtents
  let configuration: ChunkConfiguration
  /// Neighbouring heads of one work-group.
  let groupHeads: Int

  init(_ size: RecurrenceExtents, _ configuration: ChunkConfiguration, units: Int) {
    self.size = size
    self.configuration = configuration
    groupHeads = configuration.groupHeads(size, units: units)
  }

  var groups: Int { size.batch * size.heads / groupHeads }
  /// Work-groups of the token by token form.
  var stepGroups: Int { size.batch * size.heads * (values / configuration.vector) }

  /// Tokens of a chunk.
  var chunk: Int { configuration.chunk }
  var chunks: Int { configuration.chunks(size.time) }
  /// Tokens of a block of the kernels with a gate per channel.
  var block: Int { ChunkConfiguration.block }
  var blocksPerChunk: Int { configuration.blocksPerChunk }
  /// Padded widths.
  var keys: Int { configuration.padded(size.width) }
  var values: Int { configuration.padded(size.valueWidth) }
  var stateCount: Int { keys * values }

  /// Floats of one group's scratch memory.
  func forwardScratch<Forward: Recurrence>(of recurrence: Forward.Type) -> Int {
    recurrence.scratch(self).forward + groupHeads * stateCount
  }

  func backwardScratch<Forward: Recurrence>(of recurrence: Forward.Type) -> Int {
    recurrence.scratch(self).backward + groupHeads * stateCount
  }

  /// Multiply-adds of one token and head that meet the whole state once.
  var statePass: Double { Double(size.stateCount) }

  /// The same for rows of keys that meet the tokens in front of them in their chunk, themselves included.
  var chunkKeys: Double { Double((chunk + 1) * size.width) / 2 }
  var chunkValues: Double { Double((chunk + 1) * size.valueWidth) / 2 }
  /// The same in a block.
  var blockKeys: Double { Double((block + 1) * size.width) / 2 }
  var blockValues: Double { Double((block + 1) * size.valueWidth) / 2 }
}
