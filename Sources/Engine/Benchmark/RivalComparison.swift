/// A device against a rival over all problems that both were measured on.
public struct RivalComparison: Sendable, Hashable {
  public let device: String
  public let rival: String
  /// The rival's median time over ours, one per problem: above 1, we are faster.
  public let ratios: [Double]
  public let geometricMean: Double
  public let minimum: Double
  /// The problem of the smallest ratio.
  public let slowest: [BenchmarkRow.Parameter]

  /// Pairs every rival's row with ours of the same problem in front of it.
  public static func all(of rows: [BenchmarkRow]) -> [RivalComparison] {
    var pairs: [Pair: [(ratio: Double, parameters: [BenchmarkRow.Parameter])]] = [:]
    var order: [Pair] = []
    var ours: BenchmarkRow?
    for row in rows {
      guard row.isRival else {
        ours = row
        continue
      }
      guard let ours, ours.benchmark == row.benchmark, ours.parameters == row.parameters,
        let time = ours.median, let other = row.median
      else { continue }
      let pair = Pair(device: ours.device, rival: row.device)
      if pairs[pair] == nil { order.append(pair) }
      pairs[pair, default: []].append((other / time, row.parameters))
    }
    return order.compactMap { pair in pairs[pair].flatMap { RivalComparison(pair, $0) } }
  }

  private struct Pair: Hashable {
    let device: String
    let rival: String
  }

  private init?(_ pair: Pair, _ entries: [(ratio: Double, parameters: [BenchmarkRow.Parameter])]) {
    guard let slowest = entries.min(by: { $0.ratio < $1.ratio }) else { return nil }
    device = pair.device
    rival = pair.rival
    ratios = entries.map(\.ratio)
    geometricMean = Double.exp(ratios.reduce(0) { $0 + Double.log($1) } / Double(ratios.count))
    minimum = slowest.ratio
    self.slowest = slowest.parameters
  }
}
