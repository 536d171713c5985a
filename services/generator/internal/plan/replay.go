package plan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/generator/internal/draw"
	"gestor.local/generator/internal/profile"
)

// ReplayName is the profile name of a plan that was made of records.
const ReplayName = "replay"

// Replay makes a plan of the launch records of an earlier run, one record a line as the log service exports them: the
// same images in the same order at the moments at which they really began. Records of other kinds are passed over, as
// are starts that were dropped or failed; a record that comes twice counts once. With run "" it takes the last run.
func Replay(records io.Reader, run string, images []profile.Image) (Plan, error) {
	launches, run, err := readLaunches(records, run)
	if err != nil {
		return Plan{}, fmt.Errorf("replay: %w", err)
	}

	made := Plan{Header: Header{
		Version: Version, Algorithm: draw.Algorithm, Images: images,
		Profile: profile.Profile{Version: profile.Version, Name: ReplayName, About: "run " + run},
	}}
	for _, body := range launches {
		s, err := startOf(body, images)
		if err != nil {
			return Plan{}, fmt.Errorf("replay: %w", err)
		}
		made.Starts = append(made.Starts, s)
	}

	// By when they really began, which lateness may have put in another order than planned.
	slices.SortStableFunc(made.Starts, func(a, b Start) int { return int(a.OffsetUS - b.OffsetUS) })
	for i := range made.Starts {
		made.Starts[i].Position = uint64(i + 1)
	}

	if n := len(made.Starts); n > 0 {
		made.Header.ToUS = made.Starts[n-1].OffsetUS + 1
	}
	made.Header.Starts = len(made.Starts)
	made.Header.SHA256 = made.hash()
	return made, nil
}

// readLaunches returns the started launches of one run by position, each once.
func readLaunches(records io.Reader, run string) (launches []contract.LaunchBody, of string, err error) {
	byRun := map[string]map[uint64]contract.LaunchBody{}
	lines := bufio.NewScanner(records)
	lines.Buffer(nil, contract.MaxRecordBytes)
	last := ""

	for n := 1; lines.Scan(); n++ {
		var r contract.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, "", fmt.Errorf("line %d: %w", n, err)
		}
		body, ok := r.Body.(contract.LaunchBody)
		if !ok || body.Outcome != contract.LaunchStarted {
			continue
		}

		if byRun[body.Run] == nil {
			byRun[body.Run] = map[uint64]contract.LaunchBody{}
		}
		byRun[body.Run][body.Position] = body
		last = body.Run
	}
	if err := lines.Err(); err != nil {
		return nil, "", err
	}

	if run == "" {
		run = last
	}
	if len(byRun[run]) == 0 {
		return nil, "", errors.New("no container of such a run was started in these records")
	}
	if len(byRun[run]) > MaxStarts {
		return nil, "", ErrTooLong
	}

	for _, body := range byRun[run] {
		launches = append(launches, body)
	}

	slices.SortFunc(launches, func(a, b contract.LaunchBody) int { return int(a.Position) - int(b.Position) })
	return launches, run, nil
}

// startOf makes a start of a launch record. Records name the image with its repository, those of releases before 0.2.0 without.
func startOf(body contract.LaunchBody, images []profile.Image) (Start, error) {
	i := slices.IndexFunc(images, func(image profile.Image) bool { return image.Name == path.Base(body.Image) })
	if i < 0 {
		return Start{}, fmt.Errorf("position %d: there is no image %q", body.Position, body.Image)
	}

	image := images[i]
	return Start{
		OffsetUS: int64(body.OffsetUS + body.LateUS), Image: image.Name, Class: image.Class,
		Name:   fmt.Sprintf("%s-%d", strings.TrimSuffix(body.Name, "-"+body.Run), body.Position),
		Memory: image.Memory, CPUs: image.CPUs, PIDs: image.PIDs, LifetimeS: int64(body.LifetimeS),
	}, nil
}
