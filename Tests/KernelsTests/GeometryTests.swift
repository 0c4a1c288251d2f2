import Testing

@testable import Kernels

@Suite struct GeometryTests {
  @Test func groupsAreCountedInWorkGroups() {
    #expect(Geometry.groups(2, 3, 4).globalSize(workGroup: [8, 2, 1]) == [16, 6, 4])
    #expect(Geometry.groups(5).globalSize(workGroup: [1, 1, 1]) == [5, 1, 1])
  }

  @Test func itemsAreCoveredByWholeGroups() {
    #expect(Geometry.items(10).globalSize(workGroup: [4, 1, 1]) == [12, 1, 1])
    #expect(Geometry.items(8).globalSize(workGroup: [4, 1, 1]) == [8, 1, 1])
    #expect(Geometry.items(1).globalSize(workGroup: [4, 2, 1]) == [4, 2, 1])
    #expect(Geometry.items(17).globalSize(workGroup: [4, 2, 2]) == [8, 2, 2])
    #expect(Geometry.items(0).globalSize(workGroup: [4, 1, 1])[0] == 0)
  }

  @Test func describesItself() {
    #expect(Geometry.groups(2, 3).description == "2 x 3 x 1")
    #expect(Geometry.items(7).description == "7 items")
  }
}
