package cosslice_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"cosslice"
)

// tasks are the threads of this process, each by a line of /proc.
func tasks(t testing.TB, line string) (found []string) {
	t.Helper()
	folders, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		status, err := os.ReadFile(filepath.Join("/proc/self/task", folder.Name(), "status"))
		if err != nil {
			continue // it has ended meanwhile
		}
		for text := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(text, line); ok {
				found = append(found, strings.TrimSpace(value))
			}
		}
	}
	return found
}

// Threads of the library block signals, and Go's block none. (Names don't tell: a thread that Go begins while one of the library's
// is in a callback is called as that.)
func threadsOfTheLibrary(t testing.TB) int {
	t.Helper()
	return len(slices.DeleteFunc(tasks(t, "SigBlk:"), func(blocked string) bool { return strings.Trim(blocked, "0") == "" }))
}

func TestAThousandUploadsAtOnceNeedFewThreads(t *testing.T) {
	const uploads, most = 1000, 40
	service := startEmulator(t)
	client := newClient(t, service.config())
	file := writeFile(t, "small", content(10_000, 17))

	// The service stands still until all of them are under way.
	if err := service.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var begun, group sync.WaitGroup
	var failed atomic.Int64
	begun.Add(uploads)
	group.Add(uploads)
	for i := range uploads {
		go func() {
			defer group.Done()
			first := sync.OnceFunc(begun.Done)
			_, err := client.UploadFile(context.Background(), "videos", fmt.Sprintf("/thousand/%d", i), file,
				cosslice.OnProgress(func(cosslice.Progress) { first() }))
			if err != nil {
				first()
				failed.Add(1)
				t.Error(err)
			}
		}()
	}
	begun.Wait()
	atOnce := len(tasks(t, "Name:"))
	goroutines := runtime.NumGoroutine()
	if err := service.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	// Go ends no thread that it has begun, so this is the most that there were at any time.
	after := len(tasks(t, "Name:"))
	t.Logf("%d uploads under way in %d goroutines: %d threads, at most %d", uploads, goroutines, atOnce, after)
	if atOnce > most || after > most {
		t.Errorf("%d and %d threads: %v", atOnce, after, tasks(t, "Name:"))
	}
	if goroutines < uploads {
		t.Errorf("%d goroutines: they were not under way at once", goroutines)
	}
	if failed.Load() == 0 {
		for _, i := range []int{0, uploads - 1} {
			if len(service.object(t, "videos", fmt.Sprintf("/thousand/%d", i))) != 10_000 {
				t.Error("an object is not the file")
			}
		}
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNothingIsLeftBehind(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"upload_slice_data","times":0,"probability":0.1,"action":{"reset":"during_body"}}`)
	file := writeFile(t, "file", content(2*mebibyte, 18))
	round := func(i int) {
		config := service.config()
		config.Signer = cosslice.SignerFunc(appID, func(_ context.Context, request cosslice.SignRequest) (string, error) {
			return cosslice.Sign(key, cosslice.SignatureScopePath, request)
		})
		client, err := cosslice.New(config)
		if err != nil {
			t.Fatal(err)
		}
		leaveNothing(t, client, file, i)
		if threadsOfTheLibrary(t) == 0 {
			t.Error("the threads of the library are not seen")
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	// What Go and the system set up once is there after the first round.
	round(0)
	service.control(t, "DELETE", "requests", nil)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for i := range 5 {
		round(i + 1)
	}
	if held := cosslice.Held(); held != 0 {
		t.Errorf("C has %d closures", held)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		stacks := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", now, goroutines, stacks[:runtime.Stack(stacks, true)])
	}
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	// A thread that was joined is among the system's until the kernel has taken it out.
	for ctx := guarded(t); threadsOfTheLibrary(t) != 0; runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatalf("threads are left: %v", tasks(t, "Name:"))
		}
	}
}

// leaveNothing ends uploads and requests in every way.
func leaveNothing(t *testing.T, client *cosslice.Client, file string, round int) {
	t.Helper()
	ctx := guarded(t)
	path := fmt.Sprintf("/round/%d", round)
	if _, err := client.UploadFile(ctx, "videos", path, file, cosslice.OnProgress(func(cosslice.Progress) {})); err != nil {
		t.Error(err)
	}
	if _, err := client.UploadFile(ctx, "videos", path, file, cosslice.OnProgress(func(cosslice.Progress) { panic(1) })); err == nil {
		t.Error("no error")
	}
	if _, err := client.UploadFile(ctx, "", path, file, cosslice.OnProgress(func(cosslice.Progress) {})); err == nil {
		t.Error("no error")
	}
	cancelled, cancel := context.WithCancel(ctx)
	_, err := client.UploadFile(cancelled, "videos", path+"-cancelled", file, cosslice.OnProgress(func(cosslice.Progress) { cancel() }))
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := client.Upload(ctx, "videos", path+"-broken", panickingReader{}, 100); err == nil {
		t.Error("no error")
	}
	operation, err := client.Operation("videos", path, cosslice.OperationConfig{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	if _, err := operation.Hash(ctx); err != nil {
		t.Error(err)
	}
	if _, err := operation.Stat(cancelled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAClientThatIsGarbageIsFreed(t *testing.T) {
	freed := make(chan struct{})
	func() {
		var config cosslice.Config
		closure := new([64]byte)
		runtime.SetFinalizer(closure, func(*[64]byte) { close(freed) })
		config.Signer = cosslice.SignerFunc(appID, func(context.Context, cosslice.SignRequest) (string, error) {
			return string(closure[:]), nil
		})
		if _, err := cosslice.New(config); err != nil {
			t.Fatal(err)
		}
	}()
	// Its closure is garbage only once C has given it back.
	ctx := guarded(t)
	for {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-ctx.Done():
			t.Fatal("it was never freed")
		default:
		}
	}
}
