/// The number of single-character insertions, deletions, substitutions and swaps of neighbours between two words.
///
/// - Complexity: length of `a` x length of `b`.
/// - SeeAlso: "optimal string alignment", the restricted form of the Damerau-Levenshtein distance.
public func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a)
  let b = Array(b)
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var beforePrevious = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  for i in 1...a.count {
    var current = [Int](repeating: i, count: b.count + 1)
    for j in 1...b.count {
      let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      current[j] = min(previous[j] + 1, current[j - 1] + 1, substitution)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        current[j] = min(current[j], beforePrevious[j - 2] + 1)
      }
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.count]
}

/// The known name nearest to a misspelt one, if it is near enough to be meant.
///
/// Near enough: an edit distance of at most a third of the longer length (at least one). The first of equally
/// near names wins. Words longer than 200 characters are nobody's misspelling and give nil.
public func nearestName(to name: String, in known: some Sequence<String>) -> String? {
  guard !name.isEmpty, name.utf8.count <= 200 else { return nil }
  let lowered = name.lowercased()
  var best: (name: String, distance: Int)?
  for candidate in known {
    let distance = editDistance(lowered, candidate.lowercased())
    let limit = max(1, max(name.count, candidate.count) / 3)
    guard distance <= limit, distance < candidate.count else { continue }
    if let found = best, found.distance <= distance { continue }
    best = (candidate, distance)
  }
  return best?.name
}

/// The hint for an unknown name: the nearest one, or the whole list while it is short.
///
/// - Parameters:
///   - name: What was written.
///   - known: What exists, in the order to show it.
///   - noun: What the names are, in the plural, as in `keys here`.
///   - limit: The most names a list shows.
public func nameHints(for name: String, in known: [String], noun: String, limit: Int = 12) -> [String] {
  let list = known.count <= limit && !known.isEmpty ? "\(noun): \(known.joined(separator: ", "))" : nil
  guard let nearest = nearestName(to: name, in: known) else { return list.map { [$0] } ?? [] }
  let question = "did you mean '\(nearest)'?"
  return [list.map { "\(question) \($0)" } ?? question]
}
