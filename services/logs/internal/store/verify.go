package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// Report is what Verify found.
type Report struct {
	Files    int
	Records  uint64
	Findings []segment.Finding
	// Missing are ranges of numbers between the oldest and the newest record that no file holds and that retention has
	// not deleted.
	Missing []segment.Range
}

// OK says that nothing is wrong.
func (r Report) OK() bool { return len(r.Findings) == 0 && len(r.Missing) == 0 }

// Verify reads every file of a store without changing anything and without its lock: it may run beside the service, whose
// newest line may then seem unfinished.
func Verify(fsys disk.FS, dir string) (Report, error) {
	s := &Store{cfg: Config{Dir: dir, FS: fsys}, fs: fsys}
	v := verifier{Store: s}
	err := v.readAll()
	if err != nil {
		return v.report, fmt.Errorf("verify: %w", err)
	}

	f, err := s.readIdentities()
	if err != nil {
		v.report.Findings = append(v.report.Findings, segment.Finding{File: dir + "/records/" + identitiesName, What: err.Error()})
	}
	v.report.Missing = v.gaps(f.NextSeq)
	return v.report, nil
}

// verifier reads the files of a store.
type verifier struct {
	*Store
	report Report
	ranges segment.Ranges
	// maxSeqAtStart is the highest number that was there before the first file was read: what follows may have come since, and
	// then the part of it that went to the stream read first was not seen.
	maxSeqAtStart uint64
}

func (v *verifier) readAll() error {
	for _, stream := range Streams() {
		if err := v.findMaxSeq(stream); err != nil {
			return err
		}
	}

	for _, stream := range Streams() {
		numbers, err := v.readStream(stream)
		if err != nil {
			return err
		}

		for _, r := range numbers {
			v.report.Records += r[1] - r[0] + 1
		}
		v.checkOverlap(numbers)
		v.ranges = append(v.ranges, numbers...)
		v.ranges.Sort()
	}
	return nil
}

// checkOverlap reports the first number that another stream has too.
func (v *verifier) checkOverlap(numbers segment.Ranges) {
	i := 0
	for _, r := range numbers {
		for i < len(v.ranges) && v.ranges[i][1] < r[0] {
			i++
		}

		if i < len(v.ranges) && v.ranges[i][0] <= r[1] {
			from, to := max(r[0], v.ranges[i][0]), min(r[1], v.ranges[i][1])
			v.report.Findings = append(v.report.Findings, segment.Finding{File: v.cfg.Dir + "/records", What: "a number is in both streams", From: from, To: to})
			return
		}
	}
}

// findMaxSeq raises maxSeqAtStart to the stream's highest number, which stands in its newest file.
func (v *verifier) findMaxSeq(stream Stream) error {
	files, err := v.files(stream)
	if err != nil || len(files) == 0 {
		return err
	}
	_, _ = v.inspect(stream, files[len(files)-1], func(seq uint64) { v.maxSeqAtStart = max(v.maxSeqAtStart, seq) }) // readStream says what it is
	return nil
}

// files are the numbers of a stream's files, ascending, each once.
func (v *verifier) files(stream Stream) ([]uint64, error) {
	names, err := v.fs.List(v.dir(stream))
	if err != nil {
		return nil, err
	}
	all := append(numbers(names, segment.ActiveExt), numbers(names, segment.SealedExt)...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// inspect reads one file in the form it has now: the plain one counts where both are there.
func (v *verifier) inspect(stream Stream, number uint64, each func(seq uint64)) ([]segment.Finding, error) {
	dir, name := v.dir(stream), segment.Name(number)
	found, err := segment.InspectActive(v.fs, dir+"/"+name+segment.ActiveExt, each)
	if errors.Is(err, fs.ErrNotExist) { // sealed, perhaps a moment ago
		return segment.InspectSealed(v.fs, dir, name, each)
	}
	return found, err
}

// readStream reads every file of a stream and returns the numbers that stand in them.
func (v *verifier) readStream(stream Stream) (segment.Ranges, error) {
	files, err := v.files(stream)
	if err != nil {
		return nil, err
	}

	// Of numbers that come again the last one is reported: a file that is there twice has thousands.
	var ranges segment.Ranges
	twice := segment.Finding{File: v.dir(stream), What: "a number is there twice"}
	add := func(seq uint64) {
		if !ranges.Add(seq) {
			twice.From, twice.To = seq, seq
		}
	}

	for _, n := range files {
		found, err := v.inspect(stream, n, add)
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err != nil { // the others can be read
			found = append(found, segment.Finding{File: v.dir(stream) + "/" + segment.Name(n), What: err.Error()})
		}
		v.report.Files++
		v.report.Findings = append(v.report.Findings, found...)
	}

	if twice.From > 0 {
		v.report.Findings = append(v.report.Findings, twice)
	}
	return ranges, nil
}

// gaps are the ranges of numbers up to maxSeqAtStart that no file holds and that retention has not deleted.
func (v *verifier) gaps(deleted uint64) (missing []segment.Range) {
	for i := 1; i < len(v.ranges); i++ {
		gap := segment.Range{v.ranges[i-1][1] + 1, v.ranges[i][0] - 1}
		gap[1] = min(gap[1], v.maxSeqAtStart)
		if gap[0] >= deleted && gap[0] <= gap[1] {
			missing = append(missing, gap)
		}
	}
	return missing
}
