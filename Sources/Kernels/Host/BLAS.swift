import COpenBLAS

/// Matrix products of the host device (OpenBLAS).
public enum BLAS {
  /// The library's name, version and processor kernel, for example `OpenBLAS 0.3.21 Zen`.
  public static var version: String {
    let configuration = openblas_get_config().map { String(cString: $0) } ?? "OpenBLAS"
    let core = openblas_get_corename().map { String(cString: $0) } ?? ""
    return configuration.split(separator: " ").prefix(2).joined(separator: " ") + " " + core
  }

  /// Threads of a product.
  public static var threads: Int { Int(openblas_get_num_threads()) }

  public static func setThreads(_ count: Int) { openblas_set_num_threads(Int32(clamping: count)) }

  /// `c = alpha op(a) op(b) + beta c`, row-major.
  ///
  /// - Parameters:
  ///   - m: Rows of op(a) and c.
  ///   - n: Columns of op(b) and c.
  ///   - k: Columns of op(a), rows of op(b).
  ///   - lda: Elements between rows of `a` as stored; `ldb`, `ldc` likewise.
  public static func sgemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int, alpha: Float = 1,
    a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int,
    beta: Float = 0, c: UnsafeMutablePointer<Float>, ldc: Int,
  ) {
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
  }

  /// Runs `body` with OpenBLAS on one thread, for products inside a loop that is already split over threads.
  public static func singleThreaded(restoring threads: Int, _ body: () -> Void) {
    openblas_set_num_threads(1)
    body()
    openblas_set_num_threads(Int32(clamping: threads))
  }
}
