package disktest

import (
	"fmt"
	"math/rand/v2"
	"path"

	"gestor.local/wal/disk"
)

// Copy returns a disk with the files of one directory, all of them durable.
func (m *Mem) Copy(dir string) (*Mem, error) {
	to := NewMem()
	names, err := m.List(dir)
	if err != nil {
		return nil, err
	}

	for _, name := range names {
		text, err := disk.ReadFile(m, path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := disk.WriteFile(to, path.Join(dir, name), text); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// Damage cuts the end of a file that is not empty, zeroes a piece of it, removes it, or has spoil change one byte of it. It
// returns what it did.
func (m *Mem) Damage(name string, rng *rand.Rand, spoil func(byte) byte) (what string, err error) {
	text, err := disk.ReadFile(m, name)
	if err != nil {
		return "", err
	}

	at := rng.IntN(len(text))
	switch rng.IntN(4) {
	case 0:
		what, text = "cut", text[:at]
	case 1:
		what = "zero"
		clear(text[at:min(at+1+rng.IntN(4096), len(text))])
	case 2:
		return "remove " + name, m.Remove(name)
	default:
		what = "spoil"
		text[at] = spoil(text[at])
	}
	return fmt.Sprintf("%s %s at %d", what, name, at), disk.WriteFile(m, name, text)
}
