/*
 * cos_slice: uploads large files to Tencent COS by slices: parallel, resumable, verified.
 *
 * Version {version}. This file is generated; change the sources and run "cargo run -p cos-slice-header".
 *
 * THREADS AND POINTERS. A function that takes a "const T *" may be called on the same object by several threads at
 * once; one that takes a "T *" may not, save that the handle may be cancelled and asked meanwhile. When in doubt: one
 * thread at a time, except the cancel functions. Different objects never disturb each other, uploads of the same
 * client included. Breaking the rule gives COS_SLICE_ERR_BUSY where it is noticed.
 *
 * FORK. Handles must not be used in a process made by fork() from the one that made them, nor freed there. The child may end
 * in any way, become another program, which inherits no descriptor of the library, and make a client of its own; the
 * uploads of the parent go on.
 *
 * OWNERSHIP. What a _new function, an error or an answer parameter gives is the caller's, to be freed by the _free function of its
 * type, and by nothing else. A client may be freed before its uploads. Texts go in as UTF-8 that ends with NUL and are copied
 * during the call. Texts that come out are borrowed: each function says until when.
 *
 * NULL. Pointers that may be NULL are marked COS_SLICE_NULLABLE; what it says for a parameter is said there. Every function
 * takes NULL for its handle: _free does nothing, a getter answers as if nothing had happened, any other function returns
 * COS_SLICE_ERR_INVALID_ARGUMENT. NULL for a parameter without the mark is a mistake, which is reported by the same status and
 * does no harm. Text that is not there is NULL, except where a function says that it never is.
 *
 * ERRORS. Functions that can fail return a status: COS_SLICE_OK (0), or one of the negative COS_SLICE_ERR_*, of which
 * later versions may have more. A setter returns COS_SLICE_ERR_INVALID_ARGUMENT where the value is not acceptable; ignoring
 * that is safe, because cos_slice_upload_run and _start report the first such setting, by its name. A setting stays at
 * fault until its setter is called again with success. A setter returns COS_SLICE_ERR_BUSY, and changes nothing, where it
 * comes too late: the settings of an upload are closed while it runs, those of a client once it was used.
 * Booleans are int32_t: 0 is off, anything else on. Sizes and times that go in are int64_t, so that a negative one is
 * refused as what it is.
 *
 * ONE REQUEST AT A TIME. cos_slice_operation_* are for programs that have a flow of their own: init, one slice, list, finish, stat,
 * delete, create_directory and the upload in one request, each of which blocks and answers with a cos_slice_answer. Several
 * processes or machines can so send slices of one file into one session, and one of them finishes. Nothing of what an upload
 * does by itself (below) is done then: what a lost answer left behind, and whether an unfinished upload is of this content, is
 * for the program to find out. Setters are as those of an upload, and the next request reports what was not acceptable.
 *
 * CALLBACKS come with a user_data, which is passed through, and a drop, which is called exactly once with it when the
 * library no longer needs it, also where the setter fails. Inside a callback, cancel and getters may be called; a free is
 * carried out when the callback has returned; run, start and wait of any upload, requests of any operation, and the settings
 * of this one, answer COS_SLICE_ERR_BUSY. No callback is made with a lock held, and none of an upload after its run or wait
 * has returned its end. A callback must return, and must not throw.
 *
 * THREADS OF ITS OWN. A client has none before its first upload or request, then at most one for each connection, one more for
 * callbacks where cos_slice_upload_start is used with one, and one while a source of 4 MiB or more is hashed, which reads
 * ahead. They block all signals. They end with the client and the last of its uploads; a name lookup that the system will not let go may last longer, and holds nothing of the client.
 * A signer (cos_slice_client_set_signer) is called on them, on half of them at once at most.
 * Nothing is ever written to standard output or standard error, and no signal handler is installed. What a client does is told to
 * cos_slice_client_set_log, if a program wants to know.
 *
 * MEMORY. {memory}
 *
 * WHAT AN UPLOAD GUARANTEES. COS_SLICE_OK means that the object is there, complete, and is the source: the service said so of
 * the finish of this upload or of the content's SHA-1, and its record of the object was compared where
 * cos_slice_upload_verified says so. Where that can't be established the status is COS_SLICE_ERR_OUTCOME_UNKNOWN. Whatever
 * happens otherwise (a lost answer, a killed process, a server that restarts) running the upload again goes on with the
 * slices that the server has, as far as they are of this content; what it has of other content is left alone unless
 * cos_slice_upload_set_discard_unfinished is on, or the handle or its checkpoint (cos_slice_client_set_checkpoint_dir) knows
 * it for an older upload of its own. A source that changes under the upload is an error, never a mixed object.
 * Two uploads of different content to one path at the same time are not serialised by the service: with hashing on the
 * object is one of them, and the other ends with an error or is replaced. With hashing off a path must have one writer
 * until its object is complete, since nothing on the service tells whose slices an unfinished upload holds.
 *
 * DEFAULTS
 *
{defaults}
 */
