package cosslice_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cosslice"
)

// What a test that hangs may take; nothing here takes so long.
const hangGuard = 60 * time.Second

const (
	appID     = "1251668577"
	secretID  = "AKIDtest"
	secretKey = "secret"
)

var key = cosslice.SecretKey{AppID: appID, ID: secretID, Key: secretKey}

// An emulator is the service, as a process.
type emulator struct {
	endpoint  string
	directory string
	process   *os.Process
}

func startEmulator(t testing.TB, arguments ...string) *emulator {
	t.Helper()
	directory := t.TempDir()
	e, stop, err := launchEmulator(directory, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return e
}

func launchEmulator(directory string, arguments ...string) (*emulator, func(), error) {
	command := exec.Command("cos-emulator", append([]string{"--dir", directory, "--listen", "127.0.0.1:0",
		"--app-id", appID, "--secret-id", secretID, "--secret-key", secretKey}, arguments...)...)
	command.Stderr = os.Stderr
	// Also where the tests are killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, fmt.Errorf("the emulator, which has to be on PATH: %w", err)
	}
	stop := func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("the emulator did not start: %w", err)
	}
	words := strings.Fields(line)
	return &emulator{endpoint: words[len(words)-1], directory: directory, process: command.Process}, stop, nil
}

// control speaks to the emulator's control API.
func (e *emulator) control(t testing.TB, method, path string, body any) []byte {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, e.endpoint+"/_emulator/"+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	return answer
}

// fault adds a rule: what the service does to some request.
func (e *emulator) fault(t testing.TB, rule string) {
	t.Helper()
	e.control(t, http.MethodPost, "faults", json.RawMessage(rule))
}

// await blocks until the service has seen so many requests of an operation.
func (e *emulator) await(t testing.TB, operation string, count int) {
	t.Helper()
	e.control(t, http.MethodGet, fmt.Sprintf("wait?operation=%s&count=%d&timeout_ms=%d", operation, count, hangGuard.Milliseconds()), nil)
}

// A request as the service saw it.
type record struct {
	Operation string      `json:"operation"`
	Fields    [][2]string `json:"fields"`
	Headers   [][2]string `json:"headers"`
	Offset    *int64      `json:"offset"`
	Code      *int64      `json:"code"`
}

func (e *emulator) requests(t testing.TB) (records []record) {
	t.Helper()
	if err := json.Unmarshal(e.control(t, http.MethodGet, "requests", nil), &records); err != nil {
		t.Fatal(err)
	}
	return records
}

// object is what the service has at a path.
func (e *emulator) object(t testing.TB, bucket, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(e.directory, "objects", bucket, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (e *emulator) config() cosslice.Config {
	return cosslice.Config{Endpoint: e.endpoint, Signer: key}
}

func newClient(t testing.TB, config cosslice.Config) *cosslice.Client {
	t.Helper()
	client, err := cosslice.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// content is so many bytes that don't repeat, the same for the same seed.
func content(size int, seed uint64) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	data := make([]byte, size)
	_, _ = source.Read(data)
	return data
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guarded is a context that ends a test which would hang.
func guarded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
	t.Cleanup(cancel)
	return ctx
}
