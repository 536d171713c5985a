package store

import (
	"fmt"

	"gestor.local/logs/internal/disk"
	"gestor.local/logs/internal/segment"
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

// Sound says that nothing is wrong.
func (r Report) Sound() bool { return len(r.Findings) == 0 && len(r.Missing) == 0 }

// Verify reads every file of a store without changing anything and without its lock: it may run beside the service, whose
// newest line may then seem unfinished.
func Verify(fsys disk.FS, dir string) (Report, error) {
	s := &Store{cfg: Config{Dir: dir, FS: fsys}, fs: fsys}
	var report Report
	var all segment.Ranges
	for _, stream := range Streams() {
		numbers, err := s.verifyStream(stream, &report)
		if err != nil {
			return report, fmt.Errorf("verify: %w", err)
		}
		for _, r := range numbers {
			report.Records += r[1] - r[0] + 1
		}
		all = append(all, numbers...)
	}
	all.Sort()
	f, err := s.readForgotten()
	if err != nil {
		report.Findings = append(report.Findings, segment.Finding{File: dir + "/records/" + forgottenName, What: err.Error()})
	}
	for i := 1; i < len(all); i++ {
		if gap := (segment.Range{all[i-1][1] + 1, all[i][0] - 1}); gap[0] >= f.NextSeq {
			report.Missing = append(report.Missing, gap)
		}
	}
	return report, nil
}

func (s *Store) verifyStream(stream Stream, report *Report) (segment.Ranges, error) {
	names, err := s.fs.List(s.dir(stream))
	if err != nil {
		return nil, err
	}
	var seen segment.Ranges
	twice := segment.Finding{File: s.dir(stream), What: "a number is there twice"}
	note := func(seq uint64) {
		if !seen.Add(seq) {
			twice.From, twice.To = seq, seq
		}
	}
	plain := map[uint64]bool{}
	for _, n := range numbers(names, segment.ActiveExt) {
		plain[n] = true
		found, err := segment.InspectActive(s.fs, s.dir(stream)+"/"+segment.Name(n)+segment.ActiveExt, note)
		if err != nil {
			return nil, err
		}
		report.Files++
		report.Findings = append(report.Findings, found...)
	}
	for _, n := range numbers(names, segment.SealedExt) {
		if plain[n] {
			continue // the twin of an interrupted seal: the plain file counts
		}
		found, err := segment.InspectSealed(s.fs, s.dir(stream), segment.Name(n), note)
		if err != nil {
			return nil, err
		}
		report.Files++
		report.Findings = append(report.Findings, found...)
	}
	if twice.From > 0 {
		report.Findings = append(report.Findings, twice)
	}
	return seen, nil
}
