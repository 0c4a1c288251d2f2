import COpenCL
import Glibc

/// CLBlast's matrix product, where the library is installed: a rival in benchmarks, never needed.
///
/// - SeeAlso: Nugteren, "CLBlast: A Tuned OpenCL BLAS Library", 2018.
public struct CLBlast {
  /// The name under which distributions install it.
  public static let library = "libclblast.so.1"

  private typealias Sgemm =
    @convention(c) (
      _ layout: CInt, _ transposeA: CInt, _ transposeB: CInt, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float,
      _ a: cl_mem?, _ aOffset: Int, _ lda: Int, _ b: cl_mem?, _ bOffset: Int, _ ldb: Int, _ beta: Float,
      _ c: cl_mem?, _ cOffset: Int, _ ldc: Int, _ queue: UnsafeMutablePointer<cl_command_queue?>?,
      _ event: UnsafeMutablePointer<cl_event?>?
    ) -> CInt

  private let sgemm: Sgemm

  /// Nil where the library is not installed.
  public init?() {
    guard let handle = dlopen(Self.library, RTLD_NOW | RTLD_LOCAL),
      let symbol = dlsym(handle, "CLBlastSgemm")
    else { return nil }
    sgemm = unsafeBitCast(symbol, to: Sgemm.self)
  }

  // Values of CLBlast's C interface.
  private static let rowMajor: CInt = 101
  private static let plain: CInt = 111
  private static let transposed: CInt = 112

  /// Enqueues `c = op(a) op(b)`, row-major and dense, on the device's queue.
  ///
  /// - Parameters:
  ///   - m: Rows of op(a) and c.
  ///   - n: Columns of op(b) and c.
  ///   - k: Columns of op(a), rows of op(b).
  ///   - offsets: The first element of each matrix in its memory.
  public func multiply(
    _ a: Memory, _ b: Memory, to c: Memory, m: Int, n: Int, k: Int, transposeA: Bool, transposeB: Bool,
    offsets: (a: Int, b: Int, c: Int), on device: OpenCLDevice,
  ) {
    var queue: cl_command_queue? = device.queue
    let status = sgemm(
      Self.rowMajor, transposeA ? Self.transposed : Self.plain, transposeB ? Self.transposed : Self.plain, m,
      n,
      k, 1, (a as? OpenCLMemory)?.handle, offsets.a, transposeA ? m : k, (b as? OpenCLMemory)?.handle,
      offsets.b,
      transposeB ? k : n, 0, (c as? OpenCLMemory)?.handle, offsets.c, n, &queue, nil)
    if status != CL_SUCCESS { device.latch("CLBlastSgemm", status) }
  }
}
