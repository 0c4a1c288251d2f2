import ArgumentParser
import Engine
import Kernels
import Terminal

/// `nibble devices`: what is there and what each device can do.
///
/// No kernel is compiled.
struct DevicesVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "What is there and what each device can do.",
    discussion: """
      EXAMPLES
        nibble devices
        nibble devices --json
        nibble train preset=first-run --device cpu
      """)

  @OptionGroup var globals: GlobalOptions

  /// One row of the list.
  struct Row {
    let description: DeviceDescription
    /// Why it cannot be opened, nil if it can.
    let problem: String?
    let isDefault: Bool

    var status: String { (problem.map { "failed: \($0)" } ?? "ready") + (isDefault ? " (default)" : "") }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let output = call.output
    let known = DeviceCatalog.list()
    let wanted = call.globals.device ?? EnvironmentVariable.device.value
    let chosen = DeviceChoice.name(for: wanted, among: known)
    if let wanted = call.globals.device, chosen == nil {
      throw KernelError.noSuchDevice(
        name: wanted, available: known.map(\.name), hint: "nibble devices lists them")
    }
    let shown = call.globals.device == nil ? known : known.filter { $0.name == chosen }
    let rows = shown.map {
      Row(description: $0, problem: problem(of: $0, call), isDefault: $0.name == chosen)
    }
    output.table(table(rows))
    output.json(json(rows))
    if known.count == 1 {
      output.narrate("hint: no OpenCL driver found; " + DeviceCatalog.searchHint())
    } else if !known.contains(where: { !$0.isProcessor }) {
      let place = DeviceCatalog.searchHint().split(separator: ";").first.map(String.init) ?? ""
      output.narrate("hint: no GPU driver found; \(place)")
    }
    output.narrate("next: nibble verify --quick      checks every operation on every device")
    return rows.contains { $0.problem != nil } ? .failed : .done
  }

  private func problem(of description: DeviceDescription, _ call: Call) -> String? {
    do {
      _ = try call.open(description.name)
      return nil
    } catch {
      return Failure(text: "\(error)", exitCode: .failed).message
    }
  }

  private func table(_ rows: [Row]) -> Table {
    var table = Table([
      .init("NAME", .left), .init("DEVICE", .left, priority: 1), .init("OPENCL", .left, priority: 2),
      .init("MEM", .right),
      .init("fp16", .left, priority: 4), .init("fp64", .left, priority: 4),
      .init("subgroup", .left, priority: 5),
      .init("LOCAL", .right, priority: 3), .init("STATUS", .left),
    ])
    func sign(_ has: Bool) -> String { has ? "yes" : "no" }
    for row in rows {
      let it = row.description
      let isOpenCL = it.languageVersion != nil
      table.append([
        it.name, DeviceChoice.title(of: it), it.languageVersion.map(DeviceChoice.version) ?? "-",
        Numbers.bytes(it.memoryByteCount), isOpenCL ? sign(it.hasHalf) : "-", sign(it.hasDouble),
        isOpenCL ? sign(it.hasSubgroups) : "-", isOpenCL ? Numbers.bytes(it.localMemoryByteCount) : "-",
        row.status,
      ])
    }
    return table
  }

  private func json(_ rows: [Row]) -> JSONText {
    let devices = rows.enumerated().map { index, row -> JSONText in
      let it = row.description
      return [
        "row": .integer(index), "name": .string(it.name), "product": .string(it.product),
        "vendor": .string(it.vendor), "driver": .string(it.driver), "opencl_c": JSONText(it.languageVersion),
        "is_processor": .boolean(it.isProcessor), "compute_units": .integer(it.computeUnits),
        "memory_bytes": .integer(it.memoryByteCount),
        "largest_allocation_bytes": .integer(it.largestAllocation),
        "local_memory_bytes": .integer(it.localMemoryByteCount),
        "largest_work_group": .integer(it.largestWorkGroup), "fp16": .boolean(it.hasHalf),
        "fp64": .boolean(it.hasDouble), "subgroups": .boolean(it.hasSubgroups),
        "ready": .boolean(row.problem == nil), "problem": JSONText(row.problem),
        "default": .boolean(row.isDefault),
      ]
    }
    return ["schema": 1, "devices": .array(devices)]
  }
}

/// Names of devices, as people type and read them.
enum DeviceChoice {
  /// The device that a name or a row means; nil takes the one that is chosen by itself: an
  /// OpenCL processor first, then other OpenCL devices, then the host.
  static func name(for wanted: String?, among known: [DeviceDescription]) -> String? {
    guard let wanted else {
      let candidates = known.dropLast()
      return (candidates.first(where: \.isProcessor) ?? candidates.first ?? known.last)?.name
    }
    if let row = Int(wanted), known.indices.contains(row) { return known[row].name }
    return known.first { $0.name == wanted }?.name
  }

  /// Product and driver in one cell.
  static func title(of device: DeviceDescription) -> String {
    guard device.languageVersion != nil else { return "\(device.driver), \(device.computeUnits) threads" }
    return "\(device.product) (\(device.vendor) \(device.driver))"
  }

  /// `OpenCL C 1.2 pocl` becomes `1.2`.
  static func version(_ text: String) -> String {
    text.split(separator: " ").first { $0.first?.isNumber == true }.map(String.init) ?? text
  }
}
