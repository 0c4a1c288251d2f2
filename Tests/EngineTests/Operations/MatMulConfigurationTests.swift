import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct MatMulConfigurationTests {
  /// Every shape that a search may pick computes the product, whatever the kind of the device at hand.
  ///
  /// Classes with the same candidates share them, so that each is built once.
  @Test(arguments: KernelStyle.allCases)
  func everyCandidateComputesTheProduct(style: KernelStyle) throws {
    for device in try TestDevices.all().compactMap({ $0 as? OpenCLDevice }) {
      var description = device.description
      description.kernelStyle = style
      var classes: [[MatMulConfiguration]: [MatMulClass]] = [:]
      for problem in MatMulClass.allCases {
        let candidates = MatMulConfiguration.candidates(for: description, problem: problem.rawValue)
        #expect((1...60).contains(candidates.count))
        classes[candidates.filter { $0.fits(description) }, default: []].append(problem)
      }
      for (candidates, problems) in classes {
        #expect(!candidates.isEmpty)
        for (index, configuration) in candidates.enumerated() {
          let problem = problems[index % problems.count]
          let product = SmallProduct(problem, isWide: index % 2 == 0)
          device.setConfiguration(configuration, for: product.problem.rawValue)
          let error = try product.error(on: device)
          #expect(error < 1e-5, "\(problem.rawValue) with \(configuration.parameters)")
        }
      }
    }
  }

  @Test(arguments: MatMulClass.allCases)
  func theStandardFitsPoorDevicesAndIsReadBack(problem: MatMulClass) throws {
    for largest in [1, 16, 64, 256, 1024] {
      let device = DeviceDescription(
        name: "poor", product: "", vendor: "", driver: "", isProcessor: false, computeUnits: 1,
        memoryByteCount: 1 << 30, largestAllocation: 1 << 28, localMemoryByteCount: 1 << 14,
        largestWorkGroup: max(4, largest))
      let standard = MatMulConfiguration.standard(for: device, problem: problem.rawValue)
      #expect(standard.fits(device), "\(problem.rawValue), work-groups up to \(largest)")
      #expect(MatMulConfiguration(parameters: standard.parameters) == standard)
    }
  }

  @Test func unknownAndMissingParametersAreNoConfiguration() {
    #expect(MatMulConfiguration(parameters: [:]) == nil)
    #expect(MatMulConfiguration(parameters: ["lanes": 64]) == nil)
    #expect(MatMulConfiguration(parameters: ["lanes": 48, "columns": 4]) == nil)
    #expect(MatMulConfiguration(parameters: ["lanes": 64, "columns": 4, "rows": 1]) == nil)
    // Work-items would fetch different numbers of vectors.
    #expect(MatMulTiles(rows: 32, columns: 128, depth: 4, itemRows: 4, itemColumns: 4) == nil)
  }

  @Test func representativesBelongToTheirClass() {
    for problem in MatMulClass.allCases {
      for item in problem.representatives {
        let found = MatMulClass(
          m: item.m, n: item.n, k: item.k, transposeA: item.form.transposesA,
          transposeB: item.form.transposesB)
        #expect(found == problem)
      }
    }
  }
}

/// A product with several blocks and edges on every side, and what it should be.
private struct SmallProduct {
  let operation: MatMul
  /// The class that these sizes have, which is never a large one.
  let problem: MatMulClass
  let a: (shape: Shape, values: [Float])
  let b: (shape: Shape, values: [Float])
  let want: [Double]

  /// - Parameter problem: Whose transposes to take.
  init(_ problem: MatMulClass, isWide: Bool) {
    operation = problem.representatives[0].operation
    let size =
      switch problem {
      case .skinnyNN, .skinnyNT: isWide ? (m: 3, n: 140, k: 332) : (m: 5, n: 67, k: 131)
      default: isWide ? (m: 68, n: 132, k: 140) : (m: 67, n: 70, k: 131)
      }
    self.problem = MatMulClass(
      m: size.m, n: size.n, k: size.k, transposeA: operation.transposeA, transposeB: operation.transposeB)
    let random = CounterRandom(seed: 3, stream: problem.rawValue)
    let (left, right) = (
      random.normals(size.m * size.k, deviation: 1), random.normals(size.k * size.n, deviation: 1)
    )
    a = (operation.transposeA ? [size.k, size.m] : [size.m, size.k], left)
    b = (operation.transposeB ? [size.n, size.k] : [size.k, size.n], right)
    var sums = [Double](repeating: 0, count: size.m * size.n)
    for row in 0..<size.m {
      for inner in 0..<size.k {
        let x = Double(left[operation.transposeA ? inner * size.m + row : row * size.k + inner])
        for column in 0..<size.n {
          let y = right[operation.transposeB ? column * size.k + inner : inner * size.n + column]
          sums[row * size.n + column] += x * Double(y)
        }
      }
    }
    want = sums
  }

  func error(on device: OpenCLDevice) throws -> Double {
    let tape = Tape(on: device, isRecording: false)
    let product = tape.apply(
      operation,
      [Tensor(a.values, shape: a.shape, on: device), Tensor(b.values, shape: b.shape, on: device)])[0]
    return relativeError(try device.read(product.memory, as: Float.self).map(Double.init), want)
  }
}
