import ArgumentParser

/// Names out of a fixed set, separated by commas; `all` is every one.
struct NameList: Sendable, Hashable {
  let names: [String]

  init(_ names: [String]) { self.names = names }

  /// - Throws: A sentence with the known names.
  init(parsing text: String, known: [String]) throws {
    if text == "all" {
      names = known
      return
    }
    names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if let unknown = names.first(where: { !known.contains($0) }) {
      throw ValidationError("'\(unknown)' is none of \(known.joined(separator: ", ")), all")
    }
  }
}
