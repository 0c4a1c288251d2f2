import CHost
import Kernels
import NumberFormats

/// How the rows of a matrix are divided among work-groups of `kernels/uniform.cl`, and among threads.
struct UniformLaunch {
  let rows: Int
  let columns: Int
  let groups: ScaleGroups

  init(_ x: Tensor, _ groups: ScaleGroups) {
    (rows, columns) = (x.shape[0], x.shape[1])
    self.groups = groups
  }

  var width: Int { groups.width(columns: columns) }
  var perRow: Int { groups.perRow(columns: columns) }

  /// Rows of a work-group.
  func block(_ lanes: Int) -> Int { lanes == 1 ? max(1, 16_384 / max(1, columns)) : 4 }

  func lanes(_ device: OpenCLDevice) -> Int {
    device.configuration(RowConfiguration.self, for: RowConfiguration.problem(length: width)).lanes
  }

  /// Work-groups.
  func blocks(_ lanes: Int) -> Int { (rows + block(lanes) - 1) / block(lanes) }

  /// Calls `body` for every group of every row with its first element, its length and its place among groups.
  func forGroups(
    on device: HostDevice, _ body: @escaping @Sendable (_ start: Int, _ count: Int, _ place: Int) -> Void,
  ) {
    let (columns, width, perRow) = (columns, width, perRow)
    device.threads.forRanges(rows, grain: max(1, 32_768 / max(1, columns))) { range in
      for row in range {
        for group in 0..<perRow {
          body(
            row * columns + group * width, min(width, columns - group * width), row * perRow + group)
        }
      }
    }
  }
}

extension UniformGrid {
  var host: nibble_uniform_grid {
    nibble_uniform_grid(smallest: Float(smallest), largest: Float(largest), offset: offset)
  }
}
