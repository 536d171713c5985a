package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
)

// uapiHeader is the module's own specification of the document.
const uapiHeader = "../../kernel-module/uapi/sysinfo_gestor.h"

// uapiObjects are the objects that the header lists fields of, and the types that read them.
var uapiObjects = map[string]reflect.Type{
	"document":     reflect.TypeFor[contract.Snapshot](),
	"capabilities": reflect.TypeFor[contract.Capabilities](),
	"self":         reflect.TypeFor[contract.Self](),
	"memory":       reflect.TypeFor[contract.Memory](),
	"container":    reflect.TypeFor[contract.Container](),
	"process":      reflect.TypeFor[contract.Process](),
}

// notFromModule are the fields that a kernel module cannot have, each with the reason.
var notFromModule = map[string]string{
	"document.boot_id":        "drawn in user space's file; not exported",
	"memory.swap_total_kb":    "si_swapinfo is not exported",
	"memory.swap_free_kb":     "si_swapinfo is not exported",
	"container.cpu_user_us":   "the split into user and system needs cputime_adjust, which is not exported",
	"container.cpu_system_us": "the split into user and system needs cputime_adjust, which is not exported",
}

// uapiField is one line "@ NAME TYPE".
type uapiField struct {
	kind     string
	optional bool
}

// uapiFields reads the header's lists: object → field name → field.
func uapiFields(t *testing.T) map[string]map[string]uapiField {
	t.Helper()
	text, err := os.ReadFile(uapiHeader)
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`^ \* (document|capabilities|self|memory|container|process)(:.*)?$`)
	field := regexp.MustCompile(`^ \* @ (\w+) ([a-z0-9{}\[\]]+)(\??)( |$)`)
	objects, object := map[string]map[string]uapiField{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			object = m[1]
			objects[object] = map[string]uapiField{}
		} else if m := field.FindStringSubmatch(line); m != nil {
			objects[object][m[1]] = uapiField{kind: strings.NewReplacer("{", "", "}", "").Replace(m[2]), optional: m[3] == "?"}
		}
	}
	return objects
}

// TestHeaderAgreesWithTypes holds the module's header against the Go types, in both directions.
func TestHeaderAgreesWithTypes(t *testing.T) {
	header := uapiFields(t)
	for object, typ := range uapiObjects {
		known := map[string]uapiField{}
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			known[name] = uapiField{kind: kindOf(typ.Field(i).Type), optional: strings.Contains(options, "omitempty")}
		}
		for name, want := range known {
			got, listed := header[object][name]
			_, excused := notFromModule[object+"."+name]
			switch {
			case listed == excused:
				t.Errorf("%s.%s: in the header %v, excused %v; want one of the two", object, name, listed, excused)
			case listed && got != want:
				t.Errorf("%s.%s: the header says %+v, the type %+v", object, name, got, want)
			}
		}
		for name := range header[object] {
			if _, ok := known[name]; !ok {
				t.Errorf("%s.%s: in the header, but no field of %v", object, name, typ)
			}
		}
	}
}

func kindOf(typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ.Kind() {
	case reflect.Int, reflect.Uint64:
		return "u64"
	case reflect.Slice:
		return strings.ToLower(typ.Elem().Name()) + "[]"
	default:
		return strings.ToLower(typ.Name())
	}
}

// TestModuleDocumentsAgreeWithHeader: documents captured from booted kernels have the header's fields and no others.
func TestModuleDocumentsAgreeWithHeader(t *testing.T) {
	header := uapiFields(t)
	paths, err := filepath.Glob("testdata/v1/snapshot-module-*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captured documents: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var document map[string]any
			if err := json.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			for _, problem := range compareObject(header, "document", document) {
				t.Error(problem)
			}
		})
	}
}

func compareObject(header map[string]map[string]uapiField, object string, got map[string]any) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(got)) {
		field, ok := header[object][name]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s.%s is not in the header", object, name))
		}
		switch v := got[name].(type) {
		case map[string]any:
			problems = append(problems, compareObject(header, field.kind, v)...)
		case []any:
			for _, row := range v {
				problems = append(problems, compareObject(header, strings.TrimSuffix(field.kind, "[]"), row.(map[string]any))...)
			}
		}
	}
	for name, field := range header[object] {
		if _, ok := got[name]; !ok && !field.optional {
			problems = append(problems, fmt.Sprintf("%s.%s is missing", object, name))
		}
	}
	return problems
}
