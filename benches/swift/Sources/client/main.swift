// Makes one upload with the Swift package, and prints a JSON object with the seconds that it took.
//
//   client ENDPOINT FILE CONNECTIONS hash|no-hash
//
// It also tells the CPU seconds that the process had used before: with a Swift in a folder of its own it is a shell that
// becomes this program.
import COSSlice
import Foundation

let arguments = CommandLine.arguments
guard arguments.count == 5, let connections = Int(arguments[3]) else {
    FileHandle.standardError.write(Data("usage: client ENDPOINT FILE CONNECTIONS hash|no-hash\n".utf8))
    exit(2)
}

func cpuSeconds() -> Double {
    // This process, and its children that have ended: on Linux these constants are of another type than what takes them.
    [Int32(0), -1].reduce(0) { sum, whose in
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(__rusage_who_t(whose), &usage)
        #else
            getrusage(whose, &usage)
        #endif
        let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
        return sum + Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(microseconds) / 1e6
    }
}

let before = cpuSeconds()
var configuration = Client.Configuration()
configuration.connections = connections
var options = Upload.Options()
options.hash = arguments[4] == "hash"
do {
    let client = try Client(
        .url(arguments[1]),
        signer: .secretKey(appID: "1251668577", secretID: "AKIDtest", secretKey: "secret"),
        configuration: configuration)
    let location = Object.Location(bucket: "videos", path: "bench/object")
    let began = ContinuousClock.now
    _ = try await client.upload(.file(path: arguments[2]), to: location, options: options).value
    let took = (ContinuousClock.now - began).components
    let seconds = Double(took.seconds) + Double(took.attoseconds) / 1e18
    print("{\"seconds\":\(seconds),\"cpu_seconds_before\":\(before)}")
} catch {
    FileHandle.standardError.write(Data("client: \(error)\n".utf8))
    exit(1)
}
