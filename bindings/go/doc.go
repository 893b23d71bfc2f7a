/*
Package cosslice gets large files into Tencent COS by slices, over the JSON API: in parallel, in little memory, verified, and
resumable after anything. It is a layer of Go over the library cos_slice, which has to be installed; with cgo.

# A first upload

A [Client] knows where the service is and who signs. One for the whole program is usual:

	client, err := cosslice.New(cosslice.Config{
		Endpoint: os.Getenv("COS_SLICE_ENDPOINT"), // or Region: "gz"
		Signer: cosslice.SecretKey{
			AppID: os.Getenv("COS_SLICE_APP_ID"),
			ID:    os.Getenv("COS_SLICE_SECRET_ID"),
			Key:   os.Getenv("COS_SLICE_SECRET_KEY"),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	object, err := client.UploadFile(ctx, "videos", "/2026/big.mp4", name)

Without an error the object is there, complete, and is the file. After an error, a kill of the process included, the same call goes on
with what the service has; with [Config.CheckpointDir] it need not look at the whole file again for that.

# Sources

  - [Client.UploadFile]: a file by its name
  - [Client.UploadOpenFile]: an *os.File, or with [Range] a part of it
  - [Client.UploadBytes]: a []byte
  - [Client.Upload]: an io.ReaderAt and its size
  - [Client.UploadReader]: an io.Reader, with its size, or spooled with [Spool]

# Contexts

When its context is done an upload is cancelled and the call returns within milliseconds, unless a reader, signer or progress function of
the program blocks: that is waited for, as at any other end of an upload. errors.Is then finds context.Canceled or
context.DeadlineExceeded. An upload that was complete by then is no error. Nothing is left behind: no goroutine, thread, descriptor or
memory.

# Progress

	_, err := client.UploadFile(ctx, "videos", "/progress.mp4", name,
		cosslice.OnProgress(func(p cosslice.Progress) { last = p }))

See [Option] for what else an upload can be told.

# Errors

All errors of uploads are an [*Error], or [ErrClosed]; or, where the object is complete nonetheless, a [*PanicError]:

	var e *cosslice.Error
	switch {
	case errors.Is(err, cosslice.ErrObjectExists):
		fmt.Println("there is another object of this name; cosslice.Overwrite() replaces it")
	case errors.Is(err, fs.ErrNotExist):
		fmt.Println("there is no such file")
	case errors.As(err, &e) && e.Retryable():
		fmt.Println("again later:", e.ServerCode, e.RequestID)
	}

Requests are repeated by the library, with growing pauses; a program need not, and [Error.Retryable] tells whether to run the
whole upload again later has a chance. A panic in a function that the program gave becomes a [*PanicError] in the error of
its upload. (runtime.Goexit in one, as by testing.T.FailNow, can't be caught, and ends the program.)

# Many uploads

Start a goroutine for each, however many: while it waits an upload has no thread of its own, and they share the client's connections.

	for i := range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := client.UploadFile(ctx, "videos", fmt.Sprintf("/at-once/%d.mp4", i), name); err != nil {
				log.Print(err)
			}
		}()
	}

# Speed

How many requests are in flight at once is [Config.AdaptiveConnections], or a fixed number by [Config.Connections]. How many bytes a
second are sent at most is [Config.RateLimit] for a client, and [RateLimit] for an upload. [Client.SetRateLimit] and a
[RateControl] change them while uploads run:

	var rate cosslice.RateControl
	if err := rate.Set(64 << 10); err != nil {
		log.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		if err := rate.Set(0); err != nil { // whoever needed the line is done with it
			log.Print(err)
		}
	})
	_, err := client.UploadFile(ctx, "videos", "/in-the-background.mp4", name, cosslice.ControlRate(&rate))

# Signatures

A program that runs on other people's devices must not have the secret key. Its [SignerFunc] asks the application's server, which
decides what the user may upload, and makes the string by [Sign].

# One request at a time

A program with a flow of its own can make each request of a slice upload by itself, also from several machines: see [Operation].

# Logging

[Config.Logger] takes a *slog.Logger.

# Linking

pkg-config finds the library, cos_slice.pc, and the program needs libcos_slice.so.0 where it runs. With -tags cos_slice_static the
archive libcos_slice.a is linked into the program. A library that runs with the program and is older than the header that it
was compiled with, or of another ABI version, is refused by [New].
*/
package cosslice
