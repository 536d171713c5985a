package line

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

var null = []byte("null") //nolint:gochecknoglobals // a constant

// field is one key of an object that is written when it changes.
type field[T any] struct {
	key   string
	same  func(a, b *T) bool
	write func(to []byte, v *T) []byte
	// read takes over a value, which is not shared with the text.
	read func(v *T, text []byte) error
}

// fields are those of one kind of object, in the order in which they are written.
type fields[T any] struct {
	list []field[T]
	at   map[string]int // where in the list a key stands
}

func newFields[T any](list []field[T]) fields[T] {
	at := make(map[string]int, len(list))
	for i := range list {
		at[list[i].key] = i
	}
	return fields[T]{list, at}
}

func (f *fields[T]) has(key []byte) bool {
	_, ok := f.at[string(key)]
	return ok
}

// read takes over the value of a member; is says that the key is one of theirs.
func (f *fields[T]) read(v *T, key, value []byte) (is bool, err error) {
	i, is := f.at[string(key)]
	if !is {
		return false, nil
	}
	if err = f.list[i].read(v, value); err != nil {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return true, err
}

// plain is a field that is always known.
func plain[T any, V comparable](key string, at func(*T) *V, write func([]byte, V) []byte) field[T] {
	return field[T]{
		key:   key,
		same:  func(a, b *T) bool { return *at(a) == *at(b) },
		write: func(to []byte, v *T) []byte { return write(to, *at(v)) },
		read:  func(v *T, text []byte) error { return readValue(text, at(v)) },
	}
}

// fact is a field that may be unknown: null.
func fact[T any, V comparable](key string, at func(*T) *policy2.Fact[V], write func([]byte, V) []byte) field[T] {
	return field[T]{
		key:   key,
		same:  func(a, b *T) bool { return sameFact(*at(a), *at(b)) },
		write: func(to []byte, v *T) []byte { return appendFact(to, *at(v), write) },
		read: func(v *T, text []byte) error {
			f, err := readFact[V](text)
			*at(v) = f
			return err
		},
	}
}

// sameFact: of two that are unknown the values do not count.
func sameFact[V comparable](a, b policy2.Fact[V]) bool {
	return a.Known == b.Known && (a.Value == b.Value || !a.Known)
}

func readFact[V any](text []byte) (f policy2.Fact[V], err error) {
	if bytes.Equal(text, null) {
		return f, nil
	}
	err = readValue(text, &f.Value)
	f.Known = err == nil
	return f, err
}

// readValue reads a value, which for nearly all lines is a number.
func readValue[V any](text []byte, to *V) error {
	if number, is := any(to).(*uint64); is {
		if n, ok := decimal(text); ok {
			*number = n
			return nil
		}
	}
	return json.Unmarshal(text, to)
}

// texts is a list of words.
func texts[T any](key string, at func(*T) *[]string) field[T] {
	return field[T]{
		key:   key,
		same:  func(a, b *T) bool { return slices.Equal(*at(a), *at(b)) },
		write: func(to []byte, v *T) []byte { return appendTexts(to, *at(v)) },
		read: func(v *T, text []byte) error {
			var list []string
			err := json.Unmarshal(text, &list)
			*at(v) = list
			return err
		},
	}
}

// identityFields are those of a container's identity, but for its labels.
func identityFields() fields[policy2.Identity] {
	type identity = policy2.Identity
	networks := func(i *identity) *policy2.Fact[[]string] { return &i.Networks }
	return newFields([]field[identity]{
		plain("name", func(i *identity) *string { return &i.Name }, appendText),
		texts("past_names", func(i *identity) *[]string { return &i.PastNames }),
		plain("image", func(i *identity) *string { return &i.Image }, appendText),

		{
			key: "networks",
			same: func(a, b *identity) bool {
				x, y := networks(a), networks(b)
				return x.Known == y.Known && (!x.Known || slices.Equal(x.Value, y.Value))
			},
			write: func(to []byte, i *identity) []byte { return appendFact(to, *networks(i), appendTexts) },
			read: func(i *identity, text []byte) error {
				f, err := readFact[[]string](text)
				*networks(i) = f
				return err
			},
		},
		fact("socket", func(i *identity) *policy2.Fact[bool] { return &i.Socket }, appendBool),
	})
}

// containerFields are all others of a container, but for those that follow from the line before.
func containerFields() fields[rules.Container] {
	type container = rules.Container
	return newFields([]field[container]{
		plain("in_engine", func(c *container) *bool { return &c.InEngine }, appendBool),
		plain("state", func(c *container) *string { return &c.State }, appendText),
		fact("created_us", func(c *container) *policy2.Fact[int64] { return &c.CreatedWallUS }, appendInt),
		fact("started_at", func(c *container) *policy2.Fact[string] { return &c.StartedAt }, appendText),
		fact("started_us", func(c *container) *policy2.Fact[int64] { return &c.StartedWallUS }, appendInt),
		fact("finished_us", func(c *container) *policy2.Fact[int64] { return &c.FinishedWallUS }, appendInt),
		fact("restarts", func(c *container) *policy2.Fact[int] { return &c.Restarts }, appendInt),

		fact("restart_policy", func(c *container) *policy2.Fact[string] { return &c.RestartPolicy }, appendText),
		fact("auto_remove", func(c *container) *policy2.Fact[bool] { return &c.AutoRemove }, appendBool),
		fact("anonymous_volumes", func(c *container) *policy2.Fact[int] { return &c.AnonymousVolumes }, appendInt),
		fact("network_mode", func(c *container) *policy2.Fact[string] { return &c.NetworkMode }, appendText),
		fact("nano_cpus", func(c *container) *policy2.Fact[int64] { return &c.NanoCPUs }, appendInt),

		plain("has_row", func(c *container) *bool { return &c.HasRow }, appendBool),
		fact("start_us", func(c *container) *policy2.Fact[uint64] { return &c.StartBootUS }, appendUint),
		plain("frozen", func(c *container) *bool { return &c.Frozen }, appendBool),
		fact("processes", func(c *container) *policy2.Fact[int] { return &c.Processes }, appendInt),
		fact("cpu_us", func(c *container) *policy2.Fact[uint64] { return &c.CPUUS }, appendUint),
		fact("ram_kb", func(c *container) *policy2.Fact[uint64] { return &c.RAMKB }, appendUint),
		fact("working_set_kb", func(c *container) *policy2.Fact[uint64] { return &c.WorkingSetKB }, appendUint),
		fact("vsz_kb", func(c *container) *policy2.Fact[uint64] { return &c.VSZKB }, appendUint),
		fact("rss_kb", func(c *container) *policy2.Fact[uint64] { return &c.RSSKB }, appendUint),
		fact("net_bytes", func(c *container) *policy2.Fact[uint64] { return &c.NetBytes }, appendUint),
	})
}
