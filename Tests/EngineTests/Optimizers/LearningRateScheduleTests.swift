import Engine
import Testing

@Suite struct LearningRateScheduleTests {
  private func schedule(
    _ kind: LearningRateSchedule.Kind, minimum: Double = 0.1, total: Int = 100, warmup: Int = 10,
    decay: Int = 20,
    shape: LearningRateSchedule.DecayShape = .linear,
  ) -> LearningRateSchedule {
    LearningRateSchedule(
      kind: kind, peak: 2, minimum: minimum, totalSteps: total, warmupSteps: warmup, decaySteps: decay,
      decayShape: shape)
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-12 }

  @Test(arguments: LearningRateSchedule.Kind.allCases)
  func warmUpRisesInALineToThePeak(kind: LearningRateSchedule.Kind) {
    let schedule = schedule(kind)
    for step in 1...10 { #expect(isClose(schedule(step), 2 * Double(step) / 10), "step \(step)") }
  }

  @Test(arguments: LearningRateSchedule.Kind.allCases)
  func neverRisesAfterTheWarmUp(kind: LearningRateSchedule.Kind) {
    for shape in LearningRateSchedule.DecayShape.allCases {
      for warmup in [0, 1, 10, 100] {
        for decay in [0, 1, 20, 90, 100] {
          let schedule = schedule(kind, warmup: warmup, decay: decay, shape: shape)
          var last = Double.infinity
          for step in max(1, warmup)...150 {
            let rate = schedule(step)
            #expect(rate.isFinite && rate >= 0 && rate <= 2, "\(kind) step \(step): \(rate)")
            #expect(rate <= last + 1e-15, "\(kind) step \(step)")
            last = rate
          }
        }
      }
    }
  }

  @Test func knownValues() {
    #expect(schedule(.constant)(55) == 2)
    #expect(schedule(.constant)(500) == 2)
    #expect(isClose(schedule(.linear)(55), 0.1 + 1.9 / 2))
    #expect(isClose(schedule(.cosine)(55), 0.1 + 1.9 / 2))
    #expect(isClose(schedule(.cosine, warmup: 0)(25), 0.1 + 1.9 * (1 + 0.5.squareRoot()) / 2))
    #expect(isClose(schedule(.inverseSquareRoot)(40), 1))
    #expect(isClose(schedule(.inverseSquareRoot, warmup: 0)(4), 1))
    #expect(schedule(.wsd)(80) == 2)
    #expect(isClose(schedule(.wsd)(90), 0.1 + 1.9 / 2))
    #expect(isClose(schedule(.wsd, shape: .cosine)(90), 0.1 + 1.9 / 2))
    #expect(isClose(schedule(.wsd, shape: .squareRoot)(85), 0.1 + 1.9 / 2))
  }

  @Test(arguments: [LearningRateSchedule.Kind.linear, .cosine, .wsd])
  func endsAtTheMinimumAndStays(kind: LearningRateSchedule.Kind) {
    for shape in LearningRateSchedule.DecayShape.allCases {
      let schedule = schedule(kind, shape: shape)
      #expect(schedule(99) > 0.1)
      for step in [100, 101, 1000] { #expect(isClose(schedule(step), 0.1), "\(kind) step \(step)") }
    }
  }

  @Test(arguments: LearningRateSchedule.Kind.allCases)
  func oneStepIsEnough(kind: LearningRateSchedule.Kind) {
    let rate = schedule(kind, total: 1, warmup: 0, decay: 0)(1)
    #expect(rate.isFinite && rate >= 0.1 - 1e-12 && rate <= 2)
    #expect(
      isClose(schedule(kind, total: 1, warmup: 1, decay: 0)(1), 2), "a warm-up of all steps ends at the peak")
  }
}
