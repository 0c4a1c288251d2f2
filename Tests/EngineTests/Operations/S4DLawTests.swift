import Kernels
import Testing

@testable import Engine

/// The laws of diagonal state spaces: in parts = whole = by documents = as a convolution, in values and gradients.
@Suite(.serialized, .exclusiveDevices) struct S4DLawTests {
  /// Single precision in another order; a state that is lost or doubled is off by 0.01 and more.
  private static let tolerance = 3e-5

  private func expectEqual(_ got: S4DRun.Results, _ want: S4DRun.Results, _ comment: String) {
    #expect(got.count == want.count)
    for (index, (a, b)) in zip(got, want).enumerated() {
      let error = a.isEmpty ? .infinity : relativeError(a, b)
      #expect(error < Self.tolerance, "\(comment): \(S4DRun.names[index])")
    }
  }

  /// Every device, and the definition in fp64 under a name of its own.
  private func devices() throws -> [any OperationDevice] {
    try TestDevices.all() + [ReferenceDevice<Double>()]
  }

  @Test func partsThatHandOnTheirStateAreTheWhole() throws {
    let run = S4DRun(time: 131)
    let truth = try run(on: ReferenceDevice<Double>())
    for device in try devices() {
      for places in [[], [1], [63], [64], [130], [1, 64, 65], [8, 17], Array(1..<131)] {
        let got = try run(on: device, places: places)
        expectEqual(got, truth, "\(device.description.name), \(places.count) cuts, \(places.first ?? 0)")
      }
    }
  }

  /// Lengths round that of a tile.
  @Test(arguments: [1, 2, 16, 17, 63, 64, 65]) func everyLengthIsTheDefinition(time: Int) throws {
    let run = S4DRun(time: time)
    let truth = try run(on: ReferenceDevice<Double>())
    for device in try TestDevices.all() {
      expectEqual(try run(on: device), truth, "\(device.description.name)")
    }
  }

  @Test func documentsAreSequencesOfTheirOwn() throws {
    let run = S4DRun(time: 150)
    let starts = [1, 2, 65, 128, 133]
    // A number that was there before is another document.
    let numbers = (0..<150).map { time in Int32(starts.count { $0 <= time } % 3) }
    let truth = try run(on: ReferenceDevice<Double>(), places: starts, handsOnState: false)
    for device in try devices() {
      for places in [[], [40], [90, 140]] {
        let got = try run(on: device, places: places, documents: numbers)
        expectEqual(got, truth, "\(device.description.name) cut at \(places)")
      }
    }
  }

  @Test(arguments: [1, 21, 70]) func theConvolutionIsTheSame(time: Int) throws {
    let run = S4DRun(time: time, hasState: false)
    let truth = try run(on: ReferenceDevice<Double>())
    for device in try devices() {
      var want = truth
      want.removeSubrange(1...2)
      expectConvolution(try run.convolution(on: device), want, device.description.name)
    }
  }

  private func expectConvolution(_ got: S4DRun.Results, _ want: S4DRun.Results, _ comment: String) {
    #expect(got.count == want.count)
    for (index, (a, b)) in zip(got, want).enumerated() {
      #expect(relativeError(a, b) < Self.tolerance, "\(comment): \(index)")
    }
  }

  /// No power of E is formed: the rounding of long phases does not grow with the square of the time.
  @Test func longMemoriesKeepTheirDigits() throws {
    let time = 2000
    let run = S4DRun(time: time, batch: 1, logSteps: -8 ... -7, hasState: true)
    let truth = try run(on: ReferenceDevice<Double>())
    for device in try TestDevices.all() {
      let got = try run(on: device)
      for index in 0..<3 {
        #expect(relativeError(got[index], truth[index]) < 2e-5, "\(device.description.name): \(index)")
      }
    }
  }
}
