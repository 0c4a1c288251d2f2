import Engine
import Files
import Terminal
import Testing

@testable import BenchmarkReports

@Suite struct RenderingTests {
  @Test func showsTablesForPeople() throws {
    let table = try #require(Fixed.report.tables().first)
    #expect(
      table.rendered().lines == [
        "BENCHMARK    m  form  DEVICE       TIME        QUARTILES  GFLOP/s  OF PEAK  OF SGEMM  GB/s  OF COPY  VS OPENBLAS  RESULT",
        "matmul     512  nt    pocl:0    1.00 ms  1.00 to 1.00 ms      100     50 %      63 %  4.00     25 %        1.25x  passed",
        "matmul     512  nt    openblas  1.25 ms  1.25 to 1.25 ms     80.0     40 %      50 %  3.20     20 %            -  passed",
        "matmul     512  tn    pocl:0          -                -        -        -         -     -        -            -  FAILED",
      ])
    #expect(
      Fixed.report.captions() == [
        "failed: matmul m 512, form tn on pocl:0: the result differs, see verify",
        "pocl:0: AMD EPYC (PoCL 3.1) - driver 3.1 - 2 units - peak 200 GFLOP/s - sgemm peak 160 GFLOP/s - copy 16.0 GB/s",
        "2026-11-21T02:14:05Z - nibble 0.1.0 - revision 3f2a91c - 2 host threads - OpenBLAS 0.3.21 Zen - load 0.50 before, 1.25 after",
      ])
  }

  @Test func dropsColumnsThatDoNotFit() throws {
    let rendered = try #require(Fixed.report.tables().first).rendered(columns: 70)
    #expect(rendered.lines.allSatisfy { displayWidth($0) <= 70 })
    #expect(rendered.dropped == ["QUARTILES", "OF PEAK", "OF SGEMM", "GB/s", "OF COPY"])
  }

  @Test func rendersCSV() {
    #expect(
      Fixed.report.csv()
        == #"""
        benchmark,m,form,device,verification,failure,worst_error_share,samples,median_s,lower_quartile_s,upper_quartile_s,event_s,flops,bytes,tokens_per_s,gflops,gb_per_s,share_of_fma_peak,share_of_sgemm_peak,share_of_copy,speed_against_openblas,date,loaded
        matmul,512,nt,pocl:0,passed,,0.25,5,0.001,0.001,0.001,0.0005,100000000.0,4000000.0,,100.0,4.0,0.5,0.625,0.25,1.25,2026-11-21T02:14:05Z,no
        matmul,512,nt,openblas,passed,,0.25,5,0.00125,0.00125,0.00125,0.0005,100000000.0,4000000.0,,80.0,3.2,0.4,0.5,0.2,,2026-11-21T02:14:05Z,no
        matmul,512,tn,pocl:0,failed,"the result differs, see verify",,,,,,,,,,,,,,,,2026-11-21T02:14:05Z,no

        """#)
  }

  @Test func rendersMarkdown() {
    #expect(
      Fixed.report.markdown()
        == #"""
        | BENCHMARK | m | form | DEVICE | TIME | QUARTILES | GFLOP/s | OF PEAK | OF SGEMM | GB/s | OF COPY | VS OPENBLAS | RESULT |
        |---|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|
        | matmul | 512 | nt | pocl:0 | 1.00 ms | 1.00 to 1.00 ms | 100 | 50 % | 63 % | 4.00 | 25 % | 1.25x | passed |
        | matmul | 512 | nt | openblas | 1.25 ms | 1.25 to 1.25 ms | 80.0 | 40 % | 50 % | 3.20 | 20 % | - | passed |
        | matmul | 512 | tn | pocl:0 | - | - | - | - | - | - | - | - | FAILED |

        - failed: matmul m 512, form tn on pocl:0: the result differs, see verify
        - pocl:0: AMD EPYC (PoCL 3.1) · driver 3.1 · 2 units · peak 200 GFLOP/s · sgemm peak 160 GFLOP/s · copy 16.0 GB/s
        - 2026-11-21T02:14:05Z · nibble 0.1.0 · revision 3f2a91c · 2 host threads · OpenBLAS 0.3.21 Zen · load 0.50 before, 1.25 after

        """#)
  }

  @Test func rendersJSON() {
    #expect(
      Fixed.report.json().serialized(.pretty)
        == #"""
        {
          "schema": 2,
          "kind": "benchmark",
          "command": "nibble bench matmul --sizes 512",
          "date": "2026-11-21T02:14:05Z",
          "version": "0.1.0",
          "revision": "3f2a91c",
          "build": "release",
          "system": "Linux 6.1.0 x86_64",
          "processor": "AMD EPYC",
          "processor_clock_hz": 2500000000.0,
          "host_threads": 2,
          "blas": "OpenBLAS 0.3.21 Zen",
          "blas_threads": 2,
          "variables": {
            "POCL_AFFINITY": "1"
          },
          "devices": [
            {
              "name": "pocl:0",
              "product": "AMD EPYC (PoCL 3.1)",
              "driver": "3.1",
              "compute_units": 2
            }
          ],
          "load": {
            "average_before": 0.5,
            "average_after": 1.25,
            "other_process_share": 0.01,
            "processors": 2,
            "note": null
          },
          "roofs": [
            {
              "device": "pocl:0",
              "fma_peak_gflops": 200.0,
              "sgemm_peak_gflops": 160.0,
              "copy_gb_per_s": 16.0
            }
          ],
          "rows": [
            {
              "benchmark": "matmul",
              "parameters": {
                "m": 512,
                "form": "nt"
              },
              "device": "pocl:0",
              "rival": false,
              "verification": "passed",
              "failure": null,
              "worst_error_share": 0.25,
              "median_s": 0.001,
              "lower_quartile_s": 0.001,
              "upper_quartile_s": 0.001,
              "event_s": 0.0005,
              "samples_s": [
                0.001,
                0.0009,
                0.0011,
                0.001,
                0.001
              ],
              "executions_per_sample": 12,
              "flops": 100000000.0,
              "bytes": 4000000.0,
              "tokens": null,
              "tokens_per_s": null,
              "kept_bytes": null,
              "gflops": 100.0,
              "gb_per_s": 4.0,
              "share_of_fma_peak": 0.5,
              "share_of_sgemm_peak": 0.625,
              "share_of_copy": 0.25,
              "speed_against": {
                "openblas": 1.25
              },
              "configurations": {
                "matmul/nt large": {
                  "depth": 384,
                  "rows": 12
                }
              }
            },
            {
              "benchmark": "matmul",
              "parameters": {
                "m": 512,
                "form": "nt"
              },
              "device": "openblas",
              "rival": true,
              "verification": "passed",
              "failure": null,
              "worst_error_share": 0.25,
              "median_s": 0.00125,
              "lower_quartile_s": 0.00125,
              "upper_quartile_s": 0.00125,
              "event_s": 0.0005,
              "samples_s": [
                0.00125,
                0.00125,
                0.00125,
                0.00125,
                0.00125
              ],
              "executions_per_sample": 12,
              "flops": 100000000.0,
              "bytes": 4000000.0,
              "tokens": null,
              "tokens_per_s": null,
              "kept_bytes": null,
              "gflops": 80.0,
              "gb_per_s": 3.2,
              "share_of_fma_peak": 0.4,
              "share_of_sgemm_peak": 0.5,
              "share_of_copy": 0.2,
              "speed_against": {},
              "configurations": {}
            },
            {
              "benchmark": "matmul",
              "parameters": {
                "m": 512,
                "form": "tn"
              },
              "device": "pocl:0",
              "rival": false,
              "verification": "failed",
              "failure": "the result differs, see verify",
              "worst_error_share": null,
              "median_s": null,
              "lower_quartile_s": null,
              "upper_quartile_s": null,
              "event_s": null,
              "samples_s": null,
              "executions_per_sample": null,
              "flops": null,
              "bytes": null,
              "tokens": null,
              "tokens_per_s": null,
              "kept_bytes": null,
              "gflops": null,
              "gb_per_s": null,
              "share_of_fma_peak": null,
              "share_of_sgemm_peak": null,
              "share_of_copy": null,
              "speed_against": {},
              "configurations": {
                "matmul/nt large": {
                  "depth": 384,
                  "rows": 12
                }
              }
            }
          ],
          "rivals": [
            {
              "device": "pocl:0",
              "rival": "openblas",
              "rows": 1,
              "mean_speed": 1.25,
              "least_speed": 1.25
            }
          ]
        }
        """#)
  }

  /// No number of a wrong result in any format; 0.7 ms is 142.857 GFLOP/s.
  @Test func redRowsShowNoNumber() throws {
    let comparison = BenchmarkComparison(Fixed.report, against: Fixed.report, name: "before")
    let report = Fixed.report
    let renderings =
      report.tables().flatMap { $0.rendered().lines } + report.captions()
      + comparison.table().rendered().lines + comparison.captions
      + [
        report.csv(comparison), report.markdown(comparison), report.json(comparison).serialized(),
      ] + report.jsonLines.map { $0.serialized() }
    // Of the drawing what people read and what it embeds; any number can be a coordinate.
    let drawing = try RooflinePlot(report).svg().split(separator: "\n").filter {
      $0.contains("<title>") || $0.contains("<metadata>")
    }
    for text in renderings + drawing.map(String.init) {
      for number in ["0007", "7e-4", "7e-04", "0.7", "700", "142", "143", "714"] {
        #expect(!text.contains(number), "\(number) in \(text)")
      }
    }
    #expect(renderings.filter { $0.lowercased().contains("failed") }.count >= 5)
  }

  @Test func quotesCSV() throws {
    var row = Fixed.ours
    row.parameters = [.init("shape", "2, 3"), .init("device", "say \"x\""), .init("note", "two\nlines")]
    let report = BenchmarkReport(rows: [row], roofs: [], environment: Fixed.environment)
    let text = report.csv()
    #expect(text.hasPrefix("benchmark,shape,parameter_device,note,device,"))
    #expect(text.contains("matmul,\"2, 3\",\"say \"\"x\"\"\",\"two\nlines\",pocl:0,"))
  }

  @Test func rowsOfSeveralKindsGetTablesOfTheirOwn() {
    var copy = BenchmarkRow(
      benchmark: "copy", parameters: [.init("bytes", "64 MiB")], device: "pocl:0", samples: [0.004],
      cost: Cost(flops: 0, bytes: 64e6), verification: .passed(worst: 0))
    let launch = BenchmarkRow(
      benchmark: "launch", parameters: [], device: "pocl:0", samples: [2e-6], cost: nil,
      verification: .notApplicable)
    let report = BenchmarkReport(
      rows: [Fixed.ours, copy, launch], roofs: [Fixed.roof], environment: Fixed.environment)
    let tables = report.tables().map { $0.rendered().lines }
    #expect(tables.count == 3)
    #expect(
      tables.dropFirst().map { $0 } == [
        [
          "BENCHMARK   bytes  DEVICE     TIME        QUARTILES  GB/s  OF COPY  RESULT",
          "copy       64 MiB  pocl:0  4.00 ms  4.00 to 4.00 ms  16.0    100 %  passed",
        ],
        [
          "BENCHMARK  DEVICE     TIME        QUARTILES  RESULT",
          "launch     pocl:0  2.00 us  2.00 to 2.00 us  not checked",
        ],
      ])
    copy.samples = []
    let empty = BenchmarkReport(rows: [copy], roofs: [], environment: Fixed.environment)
    #expect(
      empty.tables().map { $0.rendered().lines } == [
        ["BENCHMARK   bytes  DEVICE  RESULT", "copy       64 MiB  pocl:0  passed"]
      ])
  }

  @Test func summarizesRivals() {
    var second = Fixed.ours
    second.parameters[0].value = "1024"
    var rival = Fixed.rival
    rival.parameters[0].value = "1024"
    rival.samples = rival.samples.map { 0.8 * $0 }
    let report = BenchmarkReport(
      rows: [Fixed.ours, Fixed.rival, second, rival], roofs: [], environment: Fixed.environment)
    #expect(
      report.captions().first
        == "pocl:0 against openblas: 1.12x as fast in geometric mean of 2, least 1.00x (m 1024, form nt)"
    )
  }

  @Test func timesHaveThreeDigits() {
    #expect(
      [2.5e-10, 9.996e-7, 4e-6, 0.9996e-3, 0.0316, 0.9996, 12.34, 3600].map(BenchmarkText.time) == [
        "0.250 ns", "1.00 us", "4.00 us", "1.00 ms", "31.6 ms", "1.00 s", "12.3 s", "3,600 s",
      ])
  }

  @Test func notesALoadedMachine() {
    func load(_ share: Double?, before: Double?) -> MachineLoad {
      MachineLoad(averageBefore: before, averageAfter: 2, otherProcessShare: share, processors: 2)
    }
    #expect(load(0.04, before: 3).note == nil)
    #expect(
      load(0.12, before: 0).note
        == "a loaded machine: other processes took 12 % of the processors during the run")
    #expect(load(nil, before: 0.4).note == nil)
    #expect(load(nil, before: 1.5).note == "a loaded machine: the load average was 1.5 before the run")
    #expect(load(nil, before: nil).note == nil)
    var environment = Fixed.environment
    environment.load = load(0.5, before: 0)
    let report = BenchmarkReport(rows: [Fixed.ours], roofs: [], environment: environment)
    #expect(report.markdown().contains("a loaded machine"))
    #expect(report.json()["load"]?["note"]?.stringValue?.hasPrefix("a loaded machine") == true)
  }

  @Test func readsProcessorTimes() throws {
    let before = try #require(ProcessorTimes(statistics: "cpu  100 0 50 1000 10 0 5 5 0 0\ncpu0 1"))
    let after = try #require(ProcessorTimes(statistics: "cpu  200 0 50 1100 10 0 5 5 0 0\n"))
    #expect(before.otherShare(until: after, ownTicks: 60) == 0.2)
    #expect(before.otherShare(until: after, ownTicks: 120) == 0)
    #expect(before.otherShare(until: before, ownTicks: 0) == nil)
    #expect(ProcessorTimes(statistics: "cpu 1 2 3") == nil)
    #expect(ProcessorTimes(statistics: "") == nil)
  }
}
