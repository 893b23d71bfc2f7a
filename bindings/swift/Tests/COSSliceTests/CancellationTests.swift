import COSSlice
import Foundation
import Testing

@Suite("Cancelling", .timeLimit(.minutes(2)))
struct CancellationTests {
    /// An emulator that does not answer to slices from the second on.
    private func slow() async throws -> Emulator {
        let emulator = try Emulator()
        try await emulator.fault(
            #"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"hang":"before"}}"#)
        return emulator
    }

    @Test("the task that waits cancels the upload, and uploading again resumes")
    func task() async throws {
        let emulator = try await slow()
        let client = try emulator.client { $0.connections = 1 }
        let bytes = content(4 * mebibyte)
        let upload = client.upload(.data(bytes), to: movie)
        let task = Task { try await upload.value }
        try await emulator.wait(for: "upload_slice_data", count: 1)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        // It is over for all who ask.
        await #expect(throws: CancellationError.self) { try await upload.value }

        try await emulator.clearFaults()
        let object = try await client.upload(.data(bytes), to: movie).value
        #expect(object.outcome == .resumed)
        #expect(object.bytesResumed == Int64(mebibyte))
        #expect(try emulator.object(movie) == bytes)
    }

    @Test("a task before it waits cancels the upload too")
    func before() async throws {
        let emulator = try Emulator()
        try await emulator.fault(#"{"times":0,"action":{"hang":"before"}}"#)
        let upload = try emulator.client().upload(.data(content(mebibyte)), to: movie)
        let gate = Gate()
        let task = Task {
            await gate.wait()
            return try await upload.value
        }
        task.cancel()
        await gate.open()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("ends the progress too")
    func progress() async throws {
        let emulator = try await slow()
        let upload = try emulator.client().upload(.data(content(4 * mebibyte)), to: movie)
        var last = Upload.Progress?.none
        for await progress in upload.progress {
            last = progress
            if progress.acknowledged > 0 { upload.cancel() }
        }
        #expect(last?.phase == .done)
        await #expect(throws: CancellationError.self) { try await upload.value }
    }

    @Test("a task in the loop over the progress leaves the loop, and the value then cancels")
    func loop() async throws {
        let emulator = try await slow()
        let client = try emulator.client()
        let began = Gate()
        let task = Task {
            let upload = client.upload(.data(content(4 * mebibyte)), to: movie)
            for await progress in upload.progress where progress.acknowledged > 0 { await began.open() }
            return try await upload.value
        }
        await began.wait()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("what is over changes nothing")
    func late() async throws {
        let emulator = try Emulator()
        let upload = try emulator.client().upload(.data(content(mebibyte)), to: movie)
        let object = try await upload.value
        upload.cancel()
        let task = Task { try await upload.value }
        task.cancel()
        #expect(try await task.value == object)
    }

    @Test("happens when nobody holds the upload any more")
    func lettingGo() async throws {
        let emulator = try await slow()
        let client = try emulator.client()
        let bytes = content(4 * mebibyte)
        let over = Gate()
        do {
            let witness = Witness { Task { await over.open() } }
            let source = Upload.Source.reader(size: Int64(bytes.count)) { [witness] offset, buffer in
                withExtendedLifetime(witness) { copy(bytes, from: offset, to: buffer) }
            }
            let upload = client.upload(source, to: movie)
            for await progress in upload.progress where progress.acknowledged > 0 { break }
            withExtendedLifetime(upload) {}
        }
        // Nothing else lets go of the source of an upload that would hang for a minute.
        await over.wait()
    }

    @Test("does not wait for a sequence that gives nothing")
    func silentSequence() async throws {
        let emulator = try Emulator()
        let (silence, continuation) = AsyncStream<[UInt8]>.makeStream()
        continuation.yield([UInt8](content(mebibyte)))
        let upload = try emulator.client().upload(.chunks(silence, size: Int64(2 * mebibyte)), to: movie)
        try await emulator.wait(for: "upload_slice_init")
        upload.cancel()
        await #expect(throws: CancellationError.self) { try await upload.value }
        continuation.finish()
    }

    @Test("does not wait for a sequence that does not listen to cancellation")
    func deafSequence() async throws {
        struct Deaf: AsyncSequence, AsyncIteratorProtocol, Sendable {
            let gate: Gate
            func makeAsyncIterator() -> Deaf { self }
            mutating func next() async -> [UInt8]? {
                await gate.wait()
                return nil
            }
        }
        let emulator = try Emulator()
        let gate = Gate()
        let upload = try emulator.client().upload(.chunks(Deaf(gate: gate), size: Int64(mebibyte)), to: movie)
        upload.cancel()
        await #expect(throws: CancellationError.self) { try await upload.value }
        await gate.open()
    }

    @Test("1,000 uploads at any moment leaves each with a value or a cancellation")
    func anyMoment() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let bytes = content(70_000)
        var options = Upload.Options()
        options.singleRequestLimit = 20_971_520
        let ends = await withTaskGroup(of: Bool.self) { [options] group in
            for number in 0..<1000 {
                let location = Object.Location(bucket: "many", path: "/\(number)")
                group.addTask {
                    let task = Task { try await client.upload(.data(bytes), to: location, options: options).value }
                    for _ in 0..<(number % 40) { await Task.yield() }
                    task.cancel()
                    do {
                        return try await task.value.size == Int64(bytes.count)
                    } catch is CancellationError {
                        return true
                    } catch {
                        Issue.record(error)
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(ends == 1000)
    }
}

/// What a source of bytes in memory does.
func copy(_ bytes: Data, from offset: UInt64, to buffer: UnsafeMutableRawBufferPointer) -> Int {
    let part = bytes.dropFirst(Int(offset)).prefix(buffer.count)
    part.copyBytes(to: buffer)
    return part.count
}
