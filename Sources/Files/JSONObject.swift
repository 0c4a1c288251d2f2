/// The members of a JSON object in the order they were written, with constant-time look-up by key.
///
/// Keys are compared by their UTF-8 bytes. A hash index exists only above eight members; up to there a
/// scan is faster and needs no memory.
public struct JSONObject: Sendable {
  /// One member.
  public struct Entry: Sendable, Equatable {
    public let key: String
    public var value: JSON

    public static func == (left: Entry, right: Entry) -> Bool {
      left.key.hasSameBytes(as: right.key) && left.value == right.value
    }
  }

  /// The members in order.
  public private(set) var entries: [Entry] = []

  /// Open addressing: position + 1 of an entry, 0 for a free slot; empty while a scan does.
  private var slots: [Int] = []

  private static let scanLimit = 8

  /// Creates an object without members.
  public init() {}

  /// Creates an object from members; a key given twice keeps its first place and its last value.
  public init(_ members: some Sequence<(key: String, value: JSON)>) {
    for (key, value) in members { self[key] = value }
  }

  init(literalEntries: [(String, JSON)]) {
    for (key, value) in literalEntries {
      precondition(appendIfAbsent(key, value), "the JSON literal has the key '\(key)' twice")
    }
  }

  /// The keys in order.
  public var keys: [String] { entries.map(\.key) }

  /// The value of a key, nil when there is none.
  ///
  /// Setting a new key appends it, setting a known key keeps its place, setting nil removes it
  /// (a removal costs time in proportion to the number of members).
  public subscript(key: String) -> JSON? {
    get {
      position(of: key).map { entries[$0].value }
    }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): entries[position].value = value
      case (let position?, nil): remove(at: position)
      case (nil, let value?): append(key, value)
      case (nil, nil): break
      }
    }
  }

  /// Removes a key and returns its value, nil when there was none.
  @discardableResult
  public mutating func removeValue(forKey key: String) -> JSON? {
    guard let position = position(of: key) else { return nil }
    let value = entries[position].value
    remove(at: position)
    return value
  }

  /// Appends a member unless its key is present; says whether it did.
  mutating func appendIfAbsent(_ key: String, _ value: JSON) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }
}

extension JSONObject: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { entries.count }
  public subscript(position: Int) -> Entry { entries[position] }
}

extension JSONObject: Equatable {
  /// Same keys with same values, in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.entries.allSatisfy { right[$0.key] == $0.value }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self.init(literalEntries: elements)
  }
}

extension JSONObject {
  private func position(of key: String) -> Int? {
    if slots.isEmpty { return entries.firstIndex { $0.key.hasSameBytes(as: key) } }
    let mask = slots.count - 1
    var slot = key.byteHash & mask
    while slots[slot] != 0 {
      let position = slots[slot] - 1
      if entries[position].key.hasSameBytes(as: key) { return position }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private mutating func append(_ key: String, _ value: JSON) {
    entries.append(Entry(key: key, value: value))
    if entries.count > Self.scanLimit {
      // Half full at most, so that a probe stays short.
      if entries.count * 2 > slots.count { rebuildIndex() } else { index(entries.count - 1) }
    }
  }

  private mutating func remove(at position: Int) {
    entries.remove(at: position)
    if entries.count > Self.scanLimit { rebuildIndex() } else { slots = [] }
  }

  private mutating func rebuildIndex() {
    var size = 32
    while size < entries.count * 3 { size *= 2 }
    slots = [Int](repeating: 0, count: size)
    for position in entries.indices { index(position) }
  }

  private mutating func index(_ position: Int) {
    let mask = slots.count - 1
    var slot = entries[position].key.byteHash & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = position + 1
  }
}

extension String {
  /// Whether both strings are the same UTF-8 bytes (`==` would also accept canonical equivalents).
  func hasSameBytes(as other: String) -> Bool {
    let left = utf8Span.span
    let right = other.utf8Span.span
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
  }

  /// A hash of the UTF-8 bytes, seeded per process: crafted keys cannot force collisions.
  var byteHash: Int {
    var hasher = Hasher()
    utf8Span.span.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return hasher.finalize()
  }
}
