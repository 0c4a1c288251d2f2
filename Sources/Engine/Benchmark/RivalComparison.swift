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

  /// A rival's row with ours of the same problem in front of it.
  public struct RowPair: Sendable, Hashable {
    /// Positions of the two rows.
    public let ours: Int
    public let rival: Int
    /// The rival's median time over ours.
    public let ratio: Double
  }

  /// The position of our row in front of a rival's, if both solve one problem; nil for a row of ours.
  public static func place(ofOursBeside index: Int, in rows: [BenchmarkRow]) -> Int? {
    guard rows[index].isRival, let place = rows[..<index].lastIndex(where: { !$0.isRival }),
      rows[place].benchmark == rows[index].benchmark, rows[place].parameters == rows[index].parameters
    else { return nil }
    return place
  }

  /// Every rival's row with ours, where both have a time.
  public static func pairs(of rows: [BenchmarkRow]) -> [RowPair] {
    rows.indices.compactMap { index in
      guard let place = place(ofOursBeside: index, in: rows), let time = rows[place].median, time > 0,
        let other = rows[index].median
      else { return nil }
      return RowPair(ours: place, rival: index, ratio: other / time)
    }
  }

  /// One comparison per device and rival.
  public static func all(of rows: [BenchmarkRow]) -> [RivalComparison] {
    var pairs: [Pair: [(ratio: Double, parameters: [BenchmarkRow.Parameter])]] = [:]
    var order: [Pair] = []
    for match in Self.pairs(of: rows) {
      let pair = Pair(device: rows[match.ours].device, rival: rows[match.rival].device)
      if pairs[pair] == nil { order.append(pair) }
      pairs[pair, default: []].append((match.ratio, rows[match.ours].parameters))
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
