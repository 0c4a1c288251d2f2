import Glibc

/// Whether a row's time has changed between two runs.
///
/// A change needs both: the ratio of the medians is beyond the band, and the rank test says that the samples of the two
/// runs do not come from one distribution. The band is the larger of 2 % and the root of the sum of the squares of the
/// two relative interquartile ranges. The test is the two-sided Wilcoxon-Mann-Whitney test at 1 %, exact (over all
/// divisions of the pooled ranks, ties included) for up to 40 samples together, with the normal approximation above.
///
/// Samples of one process resemble each other more than those of two: the band is what guards against calling a
/// different placement in memory a change. Nothing here is random: the same samples give the same verdict.
public enum BenchmarkVerdict: String, Sendable, Hashable, CaseIterable {
  case faster
  case slower
  /// Same within the noise of the two runs.
  case same
  /// One of the runs has fewer than ``leastSamples``.
  case undecided = "too few samples"
  /// The result is wrong now.
  case failedNow = "failed now"
  /// The result was wrong then.
  case failedThen = "failed then"

  /// With fewer samples on a side the test could not reach its level.
  static let leastSamples = 5
  static let leastBand = 0.02
  static let level = 0.01

  /// The verdict on two runs' samples in seconds, all above 0.
  ///
  /// - Parameters:
  ///   - speed: The earlier median over the one of now.
  ///   - band: From ``band(_:_:)``.
  init(now: [Double], earlier: [Double], speed: Double, band: Double) {
    guard min(now.count, earlier.count) >= Self.leastSamples else {
      self = .undecided
      return
    }
    let isBeyond = speed > 1 + band || 1 / speed > 1 + band
    guard isBeyond, rankTestProbability(now, earlier) < Self.level else {
      self = .same
      return
    }
    self = speed > 1 ? .faster : .slower
  }

  /// The least relative change of a median that counts, from two relative interquartile ranges.
  static func band(_ now: Double, _ earlier: Double) -> Double {
    max(leastBand, (now * now + earlier * earlier).squareRoot())
  }
}

/// The two-sided probability that ranks are divided at least as unevenly between two samples of one distribution.
///
/// - SeeAlso: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the
///   other", 1947.
func rankTestProbability(_ a: [Double], _ b: [Double]) -> Double {
  let ranks = doubledMidranks(a + b)
  let sum = ranks[..<a.count].reduce(0, +)
  // Doubled, the mean of the sum of a's ranks is a whole number.
  let mean = a.count * (a.count + b.count + 1)
  let distance = abs(sum - mean)
  return ranks.count <= 40
    ? exactProbability(ranks, choosing: a.count, mean: mean, distance: distance)
    : normalProbability(ranks, choosing: a.count, distance: distance)
}

/// Twice the rank of every value; equal values share the mean of their ranks.
private func doubledMidranks(_ values: [Double]) -> [Int] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Int](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    // The ranks start + 1 ... end have the mean (start + 1 + end) / 2.
    for place in start..<end { ranks[order[place]] = start + 1 + end }
    start = end
  }
  return ranks
}

/// Counts the subsets whose sum is at least so far from the mean, by dynamic programming over the ranks.
private func exactProbability(_ ranks: [Int], choosing size: Int, mean: Int, distance: Int) -> Double {
  let largest = ranks.reduce(0, +)
  // subsets[k][s]: how many subsets of k ranks have the sum s.
  var subsets = [[Double]](repeating: [Double](repeating: 0, count: largest + 1), count: size + 1)
  subsets[0][0] = 1
  for rank in ranks {
    for count in stride(from: size, to: 0, by: -1) {
      for sum in stride(from: largest, through: rank, by: -1) {
        subsets[count][sum] += subsets[count - 1][sum - rank]
      }
    }
  }
  let total = subsets[size].reduce(0, +)
  let extreme = subsets[size].indices.filter { abs($0 - mean) >= distance }.reduce(0) {
    $0 + subsets[size][$1]
  }
  return extreme / total
}

private func normalProbability(_ ranks: [Int], choosing size: Int, distance: Int) -> Double {
  let count = Double(ranks.count)
  let mean = ranks.reduce(0) { $0 + Double($1) } / count
  let squares = ranks.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
  // Drawing without replacement, on the doubled scale; ties are in the squares.
  let chosen = Double(size)
  let variance = chosen * (count - chosen) / (count * (count - 1)) * squares
  guard variance > 0 else { return 1 }
  // Continuity: half a rank is 1 on the doubled scale.
  let score = max(0, Double(distance) - 1) / variance.squareRoot()
  return erfc(score / 2.0.squareRoot())
}
