package line

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// ErrNotInOrder says that a line does not follow from the lines that were read before it.
var ErrNotInOrder = errors.New("the line does not follow from those before it")

// members are those of one JSON object, by key.
type members map[string]json.RawMessage

// ReadFacts takes over a facts line, or the facts of a head after Reset. After an error the table holds nothing that can be relied
// on until it is reset.
func (t *Table) ReadFacts(line []byte) error {
	var text members
	if err := json.Unmarshal(line, &text); err != nil {
		return fmt.Errorf("read facts: %w", err)
	}

	before := t.host.bootUS
	err := t.readHost(text)
	if err == nil {
		err = t.readContainers(text, t.host.bootUS-before)
	}

	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}

	return nil
}

func (t *Table) readHost(text members) error {
	for _, always := range []struct {
		key string
		to  *uint64
	}{{"facts", &t.host.tick}, {"sequence", &t.host.sequence}, {"boot_us", &t.host.bootUS}} {
		value, ok := text[always.key]
		if !ok {
			return fmt.Errorf("%q is missing", always.key)
		}

		if err := json.Unmarshal(value, always.to); err != nil {
			return fmt.Errorf("%s: %w", always.key, err)
		}
	}

	return readChanged(text, t.ofHost, &t.host)
}

func readChanged[T any](text members, fields []field[T], v *T) error {
	for i := range fields {
		if value, ok := text[fields[i].key]; ok {
			if err := fields[i].read(v, value); err != nil {
				return fmt.Errorf("%s: %w", fields[i].key, err)
			}
		}
	}
	return nil
}

func (t *Table) readContainers(text members, passedUS uint64) error {
	var births, rows []members
	var exits []int
	for _, list := range []struct {
		key string
		to  any
	}{{"births", &births}, {"exits", &exits}, {"rows", &rows}} {
		if value, ok := text[list.key]; ok && !t.leavesOut(list.key, value) {
			if err := json.Unmarshal(value, list.to); err != nil {
				return fmt.Errorf("%s: %w", list.key, err)
			}
		}
	}

	if err := t.readExits(exits); err != nil {
		return err
	}

	if rows != nil || !t.namesOnly {
		if err := t.readRows(rows, passedUS); err != nil {
			return err
		}
	}

	return t.readBirths(births)
}

// leavesOut says that the list has nothing that is asked for: rows without a key of an identity.
func (t *Table) leavesOut(key string, list json.RawMessage) bool {
	return t.namesOnly && key == "rows" && !bytes.Contains(list, []byte(`"name":`)) && !bytes.Contains(list, []byte(`"labels":`))
}

func (t *Table) readExits(exits []int) error {
	if len(exits) == 0 {
		return nil
	}

	for _, n := range exits {
		if n < 0 || n >= len(t.at) || t.at[n] < 0 {
			return fmt.Errorf("%w: container %d is not there", ErrNotInOrder, n)
		}
		t.at[n] = -1
	}

	t.slots = slices.DeleteFunc(t.slots, func(s slot) bool { return t.at[s.n] < 0 })
	t.number()
	return nil
}

// readRows lets every container go on, and changes those that have a row.
func (t *Table) readRows(rows []members, passedUS uint64) error {
	byPlace := make([]members, len(t.slots))
	for _, row := range rows {
		n, err := numberOf(row)
		switch {
		case err != nil:
			return err
		case n < 0 || n >= len(t.at) || t.at[n] < 0 || byPlace[t.at[n]] != nil:
			return fmt.Errorf("%w: container %d is not there, or twice", ErrNotInOrder, n)
		}
		byPlace[t.at[n]] = row
	}

	for i := range t.slots {
		if err := t.readRow(&t.slots[i], byPlace[i], passedUS); err != nil {
			return fmt.Errorf("container %d: %w", t.slots[i].n, err)
		}
	}

	return nil
}

func numberOf(row members) (n int, err error) {
	value, ok := row["n"]
	if !ok {
		return 0, errors.New(`"n" is missing`)
	}
	err = json.Unmarshal(value, &n)
	return n, err
}

// readRow changes one container; row is nil for one that has none.
func (t *Table) readRow(s *slot, row members, passedUS uint64) error {
	if err := t.readIdentity(s, row); err != nil {
		return err
	}

	if err := readChanged(row, t.ofContainer, &s.c); err != nil {
		return err
	}

	// What follows from the line before, unless the row says otherwise.
	t.foresee(s, s.c.CPUUS, passedUS)
	if value, ok := row["member"]; ok {
		if err := t.readMember(s, value); err != nil {
			return err
		}
	}

	if value, ok := row["cpu_total_us"]; ok {
		total, err := readFact[uint64](value)
		if err != nil {
			return err
		}
		s.c.CPUTotalUS = total
	}

	if value, ok := row["net_age_us"]; ok {
		var age int64
		if err := json.Unmarshal(value, &age); err != nil {
			return err
		}
		s.c.NetBootUS = t.host.bootUS - uint64(age)
	}

	return nil
}

// readIdentity makes another identity where anything of it changes: those that were given away stay as they are.
func (t *Table) readIdentity(s *slot, row members) error {
	value, changes := row["labels"]
	for i := range t.ofIdentity {
		_, ok := row[t.ofIdentity[i].key]
		changes = changes || ok
	}

	if !changes {
		return nil
	}

	next := *s.c.Identity
	if err := readChanged(row, t.ofIdentity, &next); err != nil {
		return err
	}

	if value != nil {
		labels, withheld, err := readLabels(value)
		if err != nil {
			return err
		}
		next.Labels, s.withheld = labels, withheld
	}

	s.c.Identity = &next
	return nil
}

func (t *Table) readBirths(births []members) error {
	if len(births) == 0 {
		return nil
	}

	for _, row := range births {
		n, err := numberOf(row)
		if err != nil {
			return err
		}
		if n != len(t.at) {
			return fmt.Errorf("%w: container %d is born as the %d-th", ErrNotInOrder, n, len(t.at))
		}

		var id string
		if value, ok := row["id"]; !ok || bytes.Equal(value, null) || json.Unmarshal(value, &id) != nil {
			return fmt.Errorf("container %d has no id", n)
		}

		// It has nothing yet that could go on.
		s := slot{n: n, c: rules.Container{Identity: &policy2.Identity{ID: id}}}
		if err := t.readRow(&s, row, 0); err != nil {
			return fmt.Errorf("container %d: %w", n, err)
		}
		t.slots, t.at = append(t.slots, s), append(t.at, 0)
	}

	slices.SortStableFunc(t.slots, func(a, b slot) int { return strings.Compare(a.c.ID, b.c.ID) })
	for i := 1; i < len(t.slots); i++ {
		if t.slots[i-1].c.ID == t.slots[i].c.ID {
			return fmt.Errorf("%w: container %s is there twice", ErrNotInOrder, t.slots[i].c.ID)
		}
	}

	t.number()
	return nil
}
