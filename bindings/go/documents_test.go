package cosslice_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// lines are those of a text that are not empty, without what they are indented by.
func lines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return "\n" + strings.Join(kept, "\n") + "\n"
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The first program of the README is run as it is, by scripts/go.sh.
func TestWhatTheDocumentsShowIsInAnExample(t *testing.T) {
	examples := lines(read(t, "example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)[1:]
	// In a comment, code is what is indented by a tab.
	comment := regexp.MustCompile(`(?m)(^\t.*\n(?:\n*^\t.*\n)*)`).FindAllStringSubmatch(read(t, "doc.go"), -1)
	count := 0
	for _, block := range append(blocks, comment...) {
		count++
		if !strings.Contains(examples, lines(block[1])) {
			t.Errorf("no example has\n%s", block[1])
		}
	}
	if count < 5 {
		t.Errorf("only %d blocks were found", count)
	}
}
