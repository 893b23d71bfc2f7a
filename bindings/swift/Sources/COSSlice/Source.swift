internal import COSSliceFFI
import Foundation

extension Upload {
    /// What is uploaded.
    public struct Source: Sendable {
        enum Content: Sendable {
            case path(String)
            case pathBytes([UInt8])
            case memory(Data)
            case descriptor(Int32)
            case fileHandle(FileHandle)
            case readAt(size: Int64, @Sendable (UInt64, UnsafeMutableRawBufferPointer) throws -> Int)
            case stream(size: Int64?, @Sendable () -> any StreamReader)
        }

        let content: Content

        /// A regular file; symbolic links are followed.
        public static func file(_ url: URL) -> Source { Source(content: .pathBytes(fileSystemBytes(of: url))) }

        /// A regular file by its path; symbolic links are followed.
        public static func file(path: String) -> Source { Source(content: .path(path)) }

        /// A regular file by the bytes of its path, which need not be UTF-8.
        public static func file(pathBytes: some Sequence<UInt8>) -> Source {
            Source(content: .pathBytes(Array(pathBytes)))
        }

        /// Bytes in memory. They are copied, and the copy is kept until the upload is over: use a file for what is
        /// large.
        public static func data(_ data: Data) -> Source { Source(content: .memory(data)) }

        /// A regular file that is open for reading. The descriptor is duplicated when the upload begins, so it may be
        /// closed at once then. Its position is neither used nor moved. ``Status/fileOpen`` where it is no regular
        /// file: upload what a pipe or socket gives as a stream.
        public static func descriptor(_ descriptor: Int32) -> Source { Source(content: .descriptor(descriptor)) }

        /// The same of a file handle.
        public static func fileHandle(_ fileHandle: FileHandle) -> Source { Source(content: .fileHandle(fileHandle)) }

        /// Bytes that a closure gives, at any place and any number of times, always the same for the same place.
        ///
        /// The closure reads from an offset on into a buffer of at least 1 byte, and returns how many bytes it read,
        /// which may be fewer; 0 only at the end. It is called on several threads of the library at once, and may
        /// block; then every end of the upload waits for it: its cancellation, its deadline, a failure elsewhere.
        /// What it throws ends the upload with ``Status/fileRead`` and is the error's `cause`. It must not keep the
        /// buffer, nor start an upload.
        public static func reader(
            size: Int64,
            _ read: @escaping @Sendable (_ offset: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int
        ) -> Source {
            Source(content: .readAt(size: size, read))
        }

        /// What a closure reads, once and in its order: a pipe, a recording. It reads the next bytes into a buffer of
        /// at least 1 byte and returns how many; 0 only when nothing is to follow. Never two calls at once; else, also
        /// that every end of the upload waits for a call, as of ``reader(size:_:)``.
        ///
        /// - Parameter size: the number of bytes. Then it is sent while it is read, each slice held in memory until the
        ///   server has it, without a SHA-1 before. Nil where it is not known; then it has to be spooled: see
        ///   ``Options/spool``.
        public static func stream(
            size: Int64?, _ read: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws -> Int
        ) -> Source {
            Source(content: .stream(size: size, { ClosureReader(read) }))
        }

        /// The bytes of an asynchronous sequence, once and in its order; of its size what ``stream(size:_:)`` says. The
        /// sequence is asked for more only when what it gave is used up, in a task of its own that is cancelled with
        /// the upload. Cancelling the upload does not wait for the sequence; any other end, such as its deadline,
        /// waits for what was asked for. What it throws ends the upload with ``Status/fileRead`` and is the error's
        /// `cause`.
        public static func bytes<Bytes: AsyncSequence & Sendable>(_ bytes: Bytes, size: Int64?) -> Source
        where Bytes.Element == UInt8 {
            Source(content: .stream(size: size, { AsyncReader { try await $0.give(bytesOf: bytes) } }))
        }

        /// The same of a sequence that gives the bytes in chunks, `Data` or `[UInt8]` for instance.
        public static func chunks<Chunks: AsyncSequence & Sendable>(_ chunks: Chunks, size: Int64?) -> Source
        where Chunks.Element: Sequence<UInt8> {
            Source(content: .stream(size: size, { AsyncReader { try await $0.give(chunksOf: chunks) } }))
        }
    }
}

extension Upload.Source {
    /// Has an upload read from it. What closures throw goes into `thrown`, the first one of it.
    ///
    /// - Returns: what is to be told when the upload is cancelled, so that it does not wait for the source.
    func apply(to upload: OpaquePointer?, thrown: Locked<(any Error)?>) -> (any StreamReader)? {
        switch content {
        case .path(let path):
            _ = cos_slice_upload_set_file(upload, cText(path))
        case .pathBytes(let bytes):
            _ = cos_slice_upload_set_file_bytes(upload, bytes, bytes.count)
        case .memory(let data):
            _ = data.withUnsafeBytes { cos_slice_upload_set_memory(upload, $0.baseAddress, $0.count) }
        case .descriptor(let descriptor):
            _ = cos_slice_upload_set_descriptor(upload, descriptor)
        case .fileHandle(let fileHandle):
            _ = cos_slice_upload_set_descriptor(upload, fileHandle.fileDescriptor)
        case .readAt(let size, let read):
            let callback = ReadAtCallback(thrown: thrown, read: read)
            _ = cos_slice_upload_set_read_at(upload, size, ReadAtCallback.function, userData(callback), dropUserData)
        case .stream(let size, let makeReader):
            let reader = makeReader()
            let callback = StreamCallback(thrown: thrown, reader: reader)
            _ = cos_slice_upload_set_stream(
                upload, size ?? -1, StreamCallback.function, userData(callback), dropUserData)
            return reader
        }
        return nil
    }
}

/// A file's path as the file system has it, which need not be UTF-8; none of a URL that names no file.
func fileSystemBytes(of url: URL) -> [UInt8] {
    guard url.isFileURL else { return [] }
    return url.withUnsafeFileSystemRepresentation { path in
        path.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? []
    }
}
