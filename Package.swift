// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
  name: "nibble",
  products: [
    .executable(name: "nibble", targets: ["nibble"]),
    .library(name: "Engine", targets: ["Engine"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "COpenCL", pkgConfig: "OpenCL", providers: [.apt(["ocl-icd-opencl-dev"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    // The OpenCL C of kernels/, embedded with #embed so that the program is one file.
    .target(name: "CKernelSources", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
    // Host loops that need the processor's vector instructions, chosen at run time.
    .target(name: "CHost"),
    // Number formats as data: rounding, scales, blocks, packing.
    .target(name: "NumberFormats", swiftSettings: strict),
    .target(name: "Files", dependencies: ["NumberFormats"], swiftSettings: strict),
    .target(name: "Tokenizers", dependencies: ["Files"], swiftSettings: strict),
    .target(
      name: "Kernels",
      dependencies: ["COpenCL", "COpenBLAS", "CKernelSources", "CHost", "Files"],
      swiftSettings: strict,
      linkerSettings: [.linkedLibrary("m")],
    ),
    .target(
      name: "Engine",
      dependencies: ["Kernels", "Files", "NumberFormats", "Tokenizers"],
      swiftSettings: strict,
    ),
    .target(name: "Terminal", swiftSettings: strict),
    .target(
      name: "Configuration",
      dependencies: ["Terminal", .product(name: "Yams", package: "Yams")],
      swiftSettings: strict,
    ),
    // Rows of `nibble bench` as text, files, verdicts and pictures.
    .target(name: "BenchmarkReports", dependencies: ["Engine", "Files", "Terminal"], swiftSettings: strict),
    .executableTarget(
      name: "nibble",
      dependencies: [
        "Engine", "Kernels", "Files", "NumberFormats", "Tokenizers", "Terminal", "Configuration",
        "BenchmarkReports",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict,
    ),
    .testTarget(name: "NumberFormatsTests", dependencies: ["NumberFormats"], swiftSettings: strict),
    .testTarget(name: "FilesTests", dependencies: ["Files", "NumberFormats"], swiftSettings: strict),
    .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers", "Files"], swiftSettings: strict),
    .testTarget(name: "TerminalTests", dependencies: ["Terminal"], swiftSettings: strict),
    .testTarget(
      name: "BenchmarkReportsTests", dependencies: ["BenchmarkReports", "Engine", "Files", "Terminal"],
      swiftSettings: strict),
    // Runs the built program as a child process.
    .testTarget(name: "CommandTests", dependencies: ["nibble", "Files"], swiftSettings: strict),
    .testTarget(
      name: "ConfigurationTests", dependencies: ["Configuration", "Terminal"], swiftSettings: strict),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "Files"], swiftSettings: strict),
    .testTarget(
      name: "EngineTests",
      dependencies: ["Engine", "Kernels", "Files", "NumberFormats", "Tokenizers", "Configuration"],
      swiftSettings: strict),
  ],
)
