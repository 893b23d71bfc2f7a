package cosslice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cosslice"
)

// exampleConfig is as the environment says.
func exampleConfig() cosslice.Config {
	return cosslice.Config{
		Endpoint: os.Getenv("COS_SLICE_ENDPOINT"),
		Signer: cosslice.SecretKey{
			AppID: os.Getenv("COS_SLICE_APP_ID"),
			ID:    os.Getenv("COS_SLICE_SECRET_ID"),
			Key:   os.Getenv("COS_SLICE_SECRET_KEY"),
		},
	}
}

func connect() *cosslice.Client {
	client, err := cosslice.New(exampleConfig())
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// bigFile makes a file to upload.
func bigFile() (name string, remove func()) {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	name = filepath.Join(folder, "big.mp4")
	if err := os.WriteFile(name, content(5<<20, 100), 0o600); err != nil {
		log.Fatal(err)
	}
	return name, func() { os.RemoveAll(folder) }
}

func Example() {
	ctx := context.Background()
	name, remove := bigFile()
	defer remove()

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
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(object.Outcome, object.Size, object.ResourcePath)
	// Output: uploaded 5242880 /1251668577/videos/2026/big.mp4
}

func ExampleOnProgress() {
	ctx := context.Background()
	client := connect()
	defer client.Close()
	name, remove := bigFile()
	defer remove()

	var last cosslice.Progress
	_, err := client.UploadFile(ctx, "videos", "/progress.mp4", name,
		cosslice.OnProgress(func(p cosslice.Progress) { last = p }))
	fmt.Println(err, last.Phase, last.Acknowledged, "of", last.Total)
	// Output: <nil> done 5242880 of 5242880
}

func ExampleClient_UploadFile_timeout() {
	client := connect()
	defer client.Close()
	name, remove := bigFile()
	defer remove()

	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	_, err := client.UploadFile(ctx, "videos", "/timeout.mp4", name)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, cosslice.ErrCancelled))
	// Output: true true
}

func ExampleClient_UploadFile_atOnce() {
	ctx := context.Background()
	client := connect()
	defer client.Close()
	name, remove := bigFile()
	defer remove()

	// A goroutine for each, however many: they share the client's connections and threads.
	var group sync.WaitGroup
	for i := range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := client.UploadFile(ctx, "videos", fmt.Sprintf("/at-once/%d.mp4", i), name); err != nil {
				log.Print(err)
			}
		}()
	}
	group.Wait()
	fmt.Println("done")
	// Output: done
}

func ExampleControlRate() {
	client := connect()
	defer client.Close()
	ctx := context.Background()
	name, remove := bigFile()
	defer remove()

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
	fmt.Println(err)
	// Output: <nil>
}

func ExampleError() {
	ctx := context.Background()
	client := connect()
	defer client.Close()

	_, err := client.UploadFile(ctx, "videos", "/missing.mp4", "no-such-file.mp4")
	var e *cosslice.Error
	switch {
	case errors.Is(err, cosslice.ErrObjectExists):
		fmt.Println("there is another object of this name; cosslice.Overwrite() replaces it")
	case errors.Is(err, fs.ErrNotExist):
		fmt.Println("there is no such file")
	case errors.As(err, &e) && e.Retryable():
		fmt.Println("again later:", e.ServerCode, e.RequestID)
	}
	// Output: there is no such file
}

func ExampleClient_UploadBytes() {
	ctx := context.Background()
	client := connect()
	defer client.Close()

	object, err := client.UploadBytes(ctx, "videos", "/notes.txt", []byte("in memory"), cosslice.Overwrite())
	fmt.Println(err, object.Size)
	// Output: <nil> 9
}

func ExampleClient_Upload() {
	ctx := context.Background()
	client := connect()
	defer client.Close()

	var reader io.ReaderAt = strings.NewReader("any io.ReaderAt will do")
	object, err := client.Upload(ctx, "videos", "/reader-at.txt", reader, 23)
	fmt.Println(err, object.Size)
	// Output: <nil> 23
}

func ExampleClient_UploadReader() {
	ctx := context.Background()
	client := connect()
	defer client.Close()

	reader, writer := io.Pipe()
	go func() {
		fmt.Fprint(writer, "nobody knows how long it is")
		writer.Close()
	}()
	// Into a temporary file of at most 1 GiB first.
	object, err := client.UploadReader(ctx, "videos", "/pipe.txt", reader, -1, cosslice.Spool("", 1<<30))
	fmt.Println(err, object.Size)
	// Output: <nil> 27
}

func ExampleClient_UploadOpenFile() {
	ctx := context.Background()
	client := connect()
	defer client.Close()
	name, remove := bigFile()
	defer remove()

	file, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	object, err := client.UploadOpenFile(ctx, "videos", "/part.bin", file, cosslice.Range(1000, 500))
	fmt.Println(err, object.Size)
	// Output: <nil> 500
}

// The program has no key: it asks the application's own server, which has it.
func ExampleSignerFunc() {
	server := httptest.NewServer(http.HandlerFunc(appServer))
	defer server.Close()

	config := exampleConfig()
	config.Signer = cosslice.SignerFunc("1251668577", func(ctx context.Context, request cosslice.SignRequest) (string, error) {
		body, err := json.Marshal(request)
		if err != nil {
			return "", err
		}
		post, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		response, err := http.DefaultClient.Do(post)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, 8192))
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("the server says %s: %s", response.Status, text)
		}
		return string(text), err
	})
	client, err := cosslice.New(config)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	_, err = client.UploadBytes(ctx, "videos", "/users/17/mine.txt", []byte("mine"))
	fmt.Println(err)
	_, err = client.UploadBytes(ctx, "videos", "/users/18/not-mine.txt", []byte("not mine"))
	fmt.Println(errors.Is(err, cosslice.ErrSigner))
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// <nil>
	// true
}

// appServer signs what its user may upload, and nothing else.
func appServer(w http.ResponseWriter, r *http.Request) {
	var request cosslice.SignRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, 8192)).Decode(&request); err != nil {
		http.Error(w, "no request", http.StatusBadRequest)
		return
	}
	if request.Kind != cosslice.MultiEffect || request.Bucket != "videos" || !strings.HasPrefix(request.Path, "users/17/") {
		http.Error(w, "not yours", http.StatusForbidden)
		return
	}
	key := cosslice.SecretKey{AppID: "1251668577", ID: "AKIDtest", Key: os.Getenv("COS_SLICE_SECRET_KEY")}
	text, err := cosslice.Sign(key, cosslice.SignatureScopePath, request)
	if err != nil {
		http.Error(w, "can't sign", http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, text)
}

func ExampleConfig_logger() {
	ctx := context.Background()
	var text bytes.Buffer
	var mu sync.Mutex // for lines of text the handler has one of its own

	config := exampleConfig()
	config.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	client, err := cosslice.New(config)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.UploadBytes(ctx, "videos", "/logged.txt", []byte("logged"))
	client.Close()
	fmt.Println(err, strings.Contains(text.String(), "bucket=videos"))
	// Output: <nil> true
}

// What an upload does by itself, by hand: other processes could send some of the slices.
func ExampleClient_Operation() {
	ctx := context.Background()
	client := connect()
	defer client.Close()
	name, remove := bigFile()
	defer remove()

	operation, err := client.Operation("videos", "/by-hand.mp4", cosslice.OperationConfig{File: name})
	if err != nil {
		log.Fatal(err)
	}
	defer operation.Close()
	hash, err := operation.Hash(ctx)
	if err != nil {
		log.Fatal(err)
	}
	begun, err := operation.Init(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	for offset := int64(0); offset < hash.Size; offset += begun.SliceSize {
		length := min(begun.SliceSize, hash.Size-offset)
		if _, err := operation.Slice(ctx, begun.Session, offset, length); err != nil {
			log.Fatal(err)
		}
	}
	complete, err := operation.Finish(ctx, begun.Session)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(complete.Kind == cosslice.AnswerComplete, complete.ResourcePath)
	// Output: true /1251668577/videos/by-hand.mp4
}
