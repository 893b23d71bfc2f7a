package cosslice

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the C interface has and this package does without.
var notUsed = map[string]string{
	"cos_slice_upload_set_file":    "cos_slice_upload_set_file_bytes takes names of any encoding",
	"cos_slice_operation_set_file": "cos_slice_operation_set_file_bytes takes names of any encoding",
	"cos_slice_upload_progress":    "an upload is a call that returns at its end; OnProgress tells meanwhile",
	"cos_slice_error_status":       "it is the status that the failed call returned",
	"COS_SLICE_H":                  "it guards the header",
	"COS_SLICE_API":                "it marks functions",
	"COS_SLICE_NULLABLE":           "it marks pointers",
	"COS_SLICE_NONNULL":            "it marks pointers",
}

func readLines(t *testing.T, path string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// used are the names of C that the code of the package has.
func used(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for pattern, name := range map[string]*regexp.Regexp{
		"*.go": regexp.MustCompile(`\bC\.(?i:cos_slice_)\w+`),
		"*.c":  regexp.MustCompile(`\b(?i:cos_slice_)\w+`),
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range name.FindAllString(string(text), -1) {
				names[strings.TrimPrefix(found, "C.")] = true
			}
		}
	}
	return names
}

func TestAllOfTheCInterfaceIsUsedOrListedWithItsReason(t *testing.T) {
	wanted := readLines(t, "abi/exports.txt")
	header, err := os.ReadFile(filepath.Join("..", "..", "include", "cos_slice.h"))
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^ *# *define (COS_SLICE_\w+)`).FindAllStringSubmatch(string(header), -1)
	if len(wanted) < 100 || len(constants) < 50 {
		t.Fatalf("only %d functions and %d constants were found", len(wanted), len(constants))
	}
	for _, match := range constants {
		wanted = append(wanted, match[1])
	}
	names := used(t)
	for _, name := range wanted {
		if _, listed := notUsed[name]; names[name] == listed {
			t.Errorf("%s is used: %t, listed as not used: %t", name, names[name], listed)
		}
	}
	for name := range notUsed {
		if !slices.Contains(wanted, name) {
			t.Errorf("%s is listed, and is not there", name)
		}
	}
}

func TestEachStatusHasItsConstantOfTheSameName(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "status.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if value, ok := spec.Values[0].(*ast.SelectorExpr); ok {
				constants[value.Sel.Name] = spec.Names[0].Name
			}
		}
		return true
	})
	lines := readLines(t, "abi/status.txt")
	for _, line := range lines {
		number, name, _ := strings.Cut(line, " ")
		want := goName(name)
		if constants[name] != want {
			t.Errorf("%s is %q here, which should be %q", name, constants[name], want)
		}
		value, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if status := Status(value); status.Name() != name || status.Error() == "" {
			t.Errorf("%d is %s to the library: %q", status, status.Name(), status)
		}
	}
	if len(constants) != len(lines) {
		t.Errorf("constants that are no status: %v", slices.Sorted(maps.Values(constants)))
	}
}

// goName is what a constant of C is called here: ErrObjectExists for COS_SLICE_ERR_OBJECT_EXISTS.
func goName(name string) string {
	name = strings.TrimPrefix(name, "COS_SLICE_")
	var words strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "OK" && word != "TLS" {
			word = word[:1] + strings.ToLower(word[1:])
		}
		words.WriteString(word)
	}
	return words.String()
}

func TestAStatusThatIsNotKnownIsStillAnError(t *testing.T) {
	var err error = &Error{Status: -9999, Message: "from a newer library"}
	if status := Status(-9999); status.Error() == "" || status.Name() != "COS_SLICE_ERR_UNKNOWN" {
		t.Errorf("%q %q", status, status.Name())
	}
	if e := err.(*Error); !e.Is(Status(-9999)) || e.Is(ErrBusy) {
		t.Error(err)
	}
}
