/// The leading singular vectors of a matrix, in double precision on the host.
///
/// Small matrices are decomposed exactly by one-sided Jacobi rotations (Hestenes, 1958); of large ones a random subspace is
/// iterated first (Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011).
struct SingularVectors {
  /// Falling.
  let values: [Double]
  /// Left vectors, [rows] each; of a value 0 all zero.
  let left: [[Double]]
  /// Right vectors, [columns] each.
  let right: [[Double]]

  /// - Parameters:
  ///   - matrix: Row-major.
  ///   - count: How many are wanted, at most the shorter side.
  init(of matrix: [Double], rows: Int, columns: Int, count: Int) {
    precondition(matrix.count == rows * columns && count <= min(rows, columns))
    guard columns <= rows else {
      let transposed = ColumnMatrix(rowMajor: matrix, rows: rows, columns: columns, transposed: true)
      let other = Self.ofTall(transposed, count: count)
      self.init(values: other.values, left: other.right, right: other.left)
      return
    }
    self = Self.ofTall(ColumnMatrix(rowMajor: matrix, rows: rows, columns: columns), count: count)
  }

  private init(values: [Double], left: [[Double]], right: [[Double]]) {
    (self.values, self.left, self.right) = (values, left, right)
  }

  /// Vectors that are iterated for each one that is wanted, and iterations (LoRA-GA's own choice).
  private static let oversampling = 4
  private static let iterations = 4

  private static func ofTall(_ matrix: ColumnMatrix, count: Int) -> SingularVectors {
    let width = oversampling * count
    guard width < matrix.columns, matrix.columns > 64 else { return rotated(matrix, count: count) }
    // The rows' space that the leading right vectors lie in: an orthonormal basis q [columns, width].
    let random = CounterRandom(seed: 0, stream: "singular vectors")
    var q = ColumnMatrix(rows: matrix.columns, columns: width) { random.normal(UInt64($0)) }
    q.orthonormalize()
    for _ in 0..<iterations {
      q = matrix.transposedTimes(matrix.times(q))
      q.orthonormalize()
    }
    // matrix ~ (matrix q) q^T, and the vectors of matrix q are those of a small problem.
    let small = rotated(matrix.times(q), count: count)
    return SingularVectors(
      values: small.values, left: small.left, right: small.right.map { vector in q.times(vector) })
  }

  /// Rotates pairs of columns until all are orthogonal: their lengths are the values.
  private static func rotated(_ matrix: ColumnMatrix, count: Int) -> SingularVectors {
    var columns = matrix
    var rotations = ColumnMatrix(identity: matrix.columns)
    for _ in 0..<60 where !columns.rotate(with: &rotations) { break }
    let lengths = (0..<columns.columns).map { columns.dot($0, $0).squareRoot() }
    let order = lengths.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }.prefix(count)
    let left = order.map { index in
      columns.column(index).map { lengths[index] > 0 ? $0 / lengths[index] : 0 }
    }
    return SingularVectors(
      values: order.map { lengths[$0] }, left: left, right: order.map { rotations.column($0) })
  }
}

/// A dense matrix whose columns lie together.
private struct ColumnMatrix {
  let rows: Int
  let columns: Int
  private var values: [Double]

  init(rows: Int, columns: Int, _ value: (Int) -> Double) {
    (self.rows, self.columns) = (rows, columns)
    values = (0..<rows * columns).map(value)
  }

  init(identity size: Int) {
    self.init(rows: size, columns: size) { $0 / size == $0 % size ? 1 : 0 }
  }

  /// - Parameter transposed: Makes the transpose of the matrix that is given.
  init(rowMajor matrix: [Double], rows: Int, columns: Int, transposed: Bool = false) {
    if transposed {
      self.init(rows: columns, columns: rows) { matrix[$0] }
    } else {
      self.init(rows: rows, columns: columns) { matrix[$0 % rows * columns + $0 / rows] }
    }
  }

  func column(_ index: Int) -> [Double] { Array(values[index * rows..<(index + 1) * rows]) }

  func dot(_ a: Int, _ b: Int) -> Double {
    values.withUnsafeBufferPointer { values in
      var sum = 0.0
      for row in 0..<rows { sum += values[a * rows + row] * values[b * rows + row] }
      return sum
    }
  }

  /// The product with a vector of `columns` numbers.
  func times(_ vector: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: rows)
    for (column, factor) in vector.enumerated() {
      for row in 0..<rows { result[row] += factor * values[column * rows + row] }
    }
    return result
  }

  func times(_ other: ColumnMatrix) -> ColumnMatrix {
    let products = (0..<other.columns).map { times(other.column($0)) }
    return ColumnMatrix(rows: rows, columns: other.columns) { products[$0 / rows][$0 % rows] }
  }

  /// `self^T other`.
  func transposedTimes(_ other: ColumnMatrix) -> ColumnMatrix {
    ColumnMatrix(rows: columns, columns: other.columns) { index in
      values.withUnsafeBufferPointer { a in
        other.values.withUnsafeBufferPointer { b in
          let (first, second) = (index % columns * rows, index / columns * rows)
          var sum = 0.0
          for row in 0..<rows { sum += a[first + row] * b[second + row] }
          return sum
        }
      }
    }
  }

  /// Gram and Schmidt, twice for orthogonality to rounding; columns without a direction of their own become zero.
  mutating func orthonormalize() {
    for column in 0..<columns {
      let before = dot(column, column).squareRoot()
      for _ in 0..<2 {
        for other in 0..<column { add(-dot(column, other), other, to: column) }
      }
      let length = dot(column, column).squareRoot()
      let factor = length > 1e-13 * before ? 1 / length : 0
      for row in 0..<rows { values[column * rows + row] *= factor }
    }
  }

  private mutating func add(_ factor: Double, _ source: Int, to target: Int) {
    let (rows, source, target) = (rows, source * rows, target * rows)
    values.withUnsafeMutableBufferPointer { values in
      for row in 0..<rows { values[target + row] += factor * values[source + row] }
    }
  }

  /// One sweep of Jacobi rotations over all pairs of columns, with the same rotations of `other`'s.
  ///
  /// - Returns: Whether any pair was not yet orthogonal.
  mutating func rotate(with other: inout ColumnMatrix) -> Bool {
    var isChanged = false
    for a in 0..<columns {
      for b in a + 1..<max(a + 1, columns) {
        let (alpha, beta, gamma) = (dot(a, a), dot(b, b), dot(a, b))
        guard abs(gamma) > 1e-15 * (alpha * beta).squareRoot(), gamma != 0 else { continue }
        isChanged = true
        let zeta = (beta - alpha) / (2 * gamma)
        let tangent = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
        let cosine = 1 / (1 + tangent * tangent).squareRoot()
        rotate(a, b, cosine, cosine * tangent)
        other.rotate(a, b, cosine, cosine * tangent)
      }
    }
    return isChanged
  }

  private mutating func rotate(_ a: Int, _ b: Int, _ cosine: Double, _ sine: Double) {
    let (rows, first, second) = (rows, a * rows, b * rows)
    values.withUnsafeMutableBufferPointer { values in
      for row in 0..<rows {
        let (x, y) = (values[first + row], values[second + row])
        values[first + row] = cosine * x - sine * y
        values[second + row] = sine * x + cosine * y
      }
    }
  }
}
