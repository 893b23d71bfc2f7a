// Command conformance does jobs with the package, for the comparison with the other languages: it reads a JSON object per line,
// does the uploads that it tells, and answers with how they ended. tests/conformance has the jobs.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"cosslice"
)

type options = map[string]json.RawMessage

type job struct {
	ID      string    `json:"id"`
	Client  options   `json:"client"`
	Uploads []options `json:"uploads"`
}

type answer struct {
	ID       string   `json:"id"`
	Outcomes []any    `json:"outcomes"`
	Log      *[]entry `json:"log,omitempty"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
}

func serve(input io.Reader, output io.Writer) error {
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(hello()); err != nil {
		return err
	}
	reader := bufio.NewReader(input)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		var job job
		if err := json.Unmarshal(line, &job); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		done, err := do(job)
		if err != nil {
			return fmt.Errorf("%s: %w", job.ID, err)
		}
		if err := encoder.Encode(done); err != nil {
			return err
		}
	}
}

func do(job job) (*answer, error) {
	done := &answer{ID: job.ID, Outcomes: []any{}}
	var config cosslice.Config
	var collected *collector
	for name, value := range job.Client {
		if name == "log" {
			collected = &collector{}
			if err := json.Unmarshal(value, &collected.level); err != nil {
				return nil, fmt.Errorf("log: %w", err)
			}
			config.Logger = slog.New(collected)
			continue
		}
		set, known := clientOptions[name]
		if !known {
			return nil, fmt.Errorf("no such option of a client: %s", name)
		}
		if err := set(&config, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	client, refused := cosslice.New(config)
	for _, upload := range job.Uploads {
		if refused != nil {
			done.Outcomes = append(done.Outcomes, failureOf(refused))
			continue
		}
		outcome, err := run(client, upload)
		if err != nil {
			return nil, err
		}
		done.Outcomes = append(done.Outcomes, outcome)
	}
	if client != nil {
		if err := client.Close(); err != nil {
			return nil, err
		}
	}
	if collected != nil {
		entries := collected.all()
		done.Log = &entries
	}
	return done, nil
}

// run does one upload; the error is that it can't be told what to do.
func run(client *cosslice.Client, job options) (any, error) {
	var bucket, path string
	var source options
	var control control
	var settings []cosslice.Option
	for name, value := range job {
		var err error
		switch name {
		case "bucket":
			err = json.Unmarshal(value, &bucket)
		case "path":
			err = json.Unmarshal(value, &path)
		case "source":
			err = json.Unmarshal(value, &source)
		case "control":
			err = json.Unmarshal(value, &control)
		default:
			set, known := uploadOptions[name]
			if !known {
				return nil, fmt.Errorf("no such option of an upload: %s", name)
			}
			var setting cosslice.Option
			if setting, err = set(value); setting != nil {
				settings = append(settings, setting)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if control.CancelBefore {
		cancel()
	}
	var last cosslice.Progress
	settings = append(settings, control.watch(&last, cancel))
	object, err := upload(ctx, client, bucket, path, source, settings)
	if err != nil {
		return failureOf(err), nil
	}
	return successOf(object, last), nil
}
