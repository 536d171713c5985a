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

// ReadFacts takes over a facts line, or the facts of a head after Reset. After an error the table holds nothing that can be relied
// on until it is reset.
func (t *Table) ReadFacts(line []byte) error {
	lists, err := t.readHost(line)
	if err == nil {
		err = t.readContainers(lists)
	}
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	return nil
}

// lists are those of a line that speak of containers, nil for one that it does not have, and how long the tick before is ago.
type lists struct {
	births, exits, rows []byte
	passedUS            uint64
}

// readHost takes over what a line says of the host, and finds its lists.
func (t *Table) readHost(line []byte) (of lists, err error) {
	const tick, sequence, boot = 1, 2, 4
	before, has := t.host.bootUS, 0
	number := func(which int, to *uint64, value []byte) error {
		has |= which
		return readValue(value, to)
	}

	err = eachMember(line, func(key, value []byte) error {
		var err error
		switch string(key) {
		case "facts":
			err = number(tick, &t.host.tick, value)
		case "sequence":
			err = number(sequence, &t.host.sequence, value)
		case "boot_us":
			err = number(boot, &t.host.bootUS, value)

		case "births":
			of.births = value
		case "exits":
			of.exits = value
		case "rows":
			of.rows = value
		default:
			_, err = t.ofHost.read(&t.host, key, value)
		}

		if err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
		return err
	})

	if err == nil && has != tick|sequence|boot {
		err = errors.New("a number that each line has is missing")
	}
	of.passedUS = t.host.bootUS - before
	return of, err
}

func (t *Table) readContainers(of lists) error {
	if of.exits != nil {
		if err := t.readExits(of.exits); err != nil {
			return fmt.Errorf("exits: %w", err)
		}
	}

	if !t.leavesOut(of.rows) {
		if err := t.readRows(of.rows, of.passedUS); err != nil {
			return fmt.Errorf("rows: %w", err)
		}
	}

	if of.births != nil {
		if err := t.readBirths(of.births); err != nil {
			return fmt.Errorf("births: %w", err)
		}
	}
	return nil
}

// leavesOut says that the rows have nothing that is asked for: no key of an identity.
func (t *Table) leavesOut(rows []byte) bool {
	return t.namesOnly && !bytes.Contains(rows, []byte(`"name":`)) && !bytes.Contains(rows, []byte(`"labels":`))
}

func (t *Table) readExits(list []byte) error {
	var exits []int
	if err := json.Unmarshal(list, &exits); err != nil {
		return err
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

// readRows lets every container go on, and changes those that have a row. There is none where list is nil.
func (t *Table) readRows(list []byte, passedUS uint64) error {
	t.texts = append(t.texts[:0], make([][]byte, len(t.slots))...)
	err := error(nil)
	if list != nil {
		err = eachElement(list, func(text []byte) error {
			n, err := numberOf(text)
			switch {
			case err != nil:
				return err
			case n < 0 || n >= len(t.at) || t.at[n] < 0 || t.texts[t.at[n]] != nil:
				return fmt.Errorf("%w: container %d is not there, or twice", ErrNotInOrder, n)
			}
			t.texts[t.at[n]] = text
			return nil
		})
	}
	if err != nil {
		return err
	}

	for i := range t.slots {
		if err := t.readRow(&t.slots[i], t.texts[i], passedUS); err != nil {
			return fmt.Errorf("container %d: %w", t.slots[i].n, err)
		}
	}
	return nil
}

// numberOf is the number that a row begins with.
func numberOf(text []byte) (n int, err error) {
	value, ok := bytes.CutPrefix(text, []byte(`{"n":`))
	if !ok {
		return 0, errors.New(`"n" is missing, or not the first`)
	}
	err = json.Unmarshal(value[:endOfValue(value, 0)], &n)
	return n, err
}

// readRow changes one container; text is nil for one that has no row.
func (t *Table) readRow(s *slot, text []byte, passedUS uint64) error {
	of, err := t.readFields(s, text)
	if err != nil {
		return err
	}

	// What follows from the line before, unless the row says otherwise.
	t.foresee(s, s.c.CPUUS, passedUS)
	if of.member != nil {
		if err := t.readMember(s, of.member); err != nil {
			return err
		}
	}

	if of.cpuTotal != nil {
		total, err := readFact[uint64](of.cpuTotal)
		if err != nil {
			return err
		}
		s.c.CPUTotalUS = total
	}

	if of.netAge != nil {
		var age int64
		if err := json.Unmarshal(of.netAge, &age); err != nil {
			return err
		}
		s.c.NetBootUS = t.host.bootUS - uint64(age)
	}
	return nil
}

// following are the members of a row that change what follows from the line before, nil for one that it does not have.
type following struct{ member, cpuTotal, netAge []byte }

// readFields takes over all else of a row. Where anything of an identity changes it makes another: those that were given away stay as
// they are.
func (t *Table) readFields(s *slot, text []byte) (of following, err error) {
	if text == nil {
		return of, nil
	}

	identity := s.c.Identity
	err = eachMember(text, func(key, value []byte) error {
		switch string(key) {
		case "n", "id":
			return nil
		case "member":
			of.member = value
			return nil
		case "cpu_total_us":
			of.cpuTotal = value
			return nil
		case "net_age_us":
			of.netAge = value
			return nil
		}

		is, err := t.ofContainer.read(&s.c, key, value)
		if is || err != nil {
			return err
		}
		if !t.ofIdentity.has(key) && string(key) != "labels" {
			return nil
		}

		if identity == s.c.Identity {
			next := *identity
			identity = &next
		}
		if string(key) == "labels" {
			identity.Labels, identity.Withheld, err = readLabels(value)
			return err
		}
		_, err = t.ofIdentity.read(identity, key, value)
		return err
	})

	s.c.Identity = identity
	return of, err
}

func (t *Table) readBirths(list []byte) error {
	err := eachElement(list, func(text []byte) error {
		n, err := numberOf(text)
		if err != nil {
			return err
		}
		if n != len(t.at) {
			return fmt.Errorf("%w: container %d is born as the %d-th", ErrNotInOrder, n, len(t.at))
		}

		// It has nothing yet that could go on.
		id, err := idOf(text)
		s := slot{n: n, c: rules.Container{Identity: &policy2.Identity{ID: id}}}
		if err == nil {
			err = t.readRow(&s, text, 0)
		}
		if err != nil {
			return fmt.Errorf("container %d: %w", n, err)
		}
		t.slots, t.at = append(t.slots, s), append(t.at, 0)
		return nil
	})
	if err != nil {
		return err
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

// idOf is the id that a birth has.
func idOf(text []byte) (id string, err error) {
	has := false
	err = eachMember(text, func(key, value []byte) error {
		if string(key) != "id" || bytes.Equal(value, null) {
			return nil
		}
		has = true
		return json.Unmarshal(value, &id)
	})
	if err == nil && !has {
		err = errors.New("it has no id")
	}
	return id, err
}
