package page

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// scene makes the records of one or several hosts, a tick each 10 s.
type scene struct {
	memorySource
	host, boot string
	tick       uint64
	gates      []string
	mode       contract.Mode
	heldReason string
}

func newScene() *scene {
	return &scene{host: "node1", boot: "b", mode: contract.ModeEnforce, memorySource: memorySource{now: epoch()}}
}

// wait moves the clock.
func (s *scene) wait(d time.Duration) { s.now = s.now.Add(d) }

func (s *scene) emit(producer string, body contract.Body) {
	r := contract.NewRecord(s.now, s.tick, contract.SourceModule, body)
	r.Host, r.Boot, r.Producer, r.Seq = s.host, s.boot, producer, uint64(len(s.records)+1)
	s.records = append(s.records, r)
}

// containerOf is a container on a tick; the verdict follows from the reason.
func containerOf(id string, class contract.Class, reason string, rank int) contract.ContainerBody {
	b := contract.ContainerBody{
		Subject: contract.Subject{Container: id, Name: string(class) + "-" + id, Image: "gestor/" + string(class) + "-idle", Class: class},
		Owned:   true, State: "running", Measured: reason != contract.ReasonYoung, Rank: rank, Reason: reason, Verdict: contract.VerdictKeep,
		Measures: contract.Measures{CPUMillicores: 5, RAMKB: 1000},
	}
	if reason == contract.ReasonOverQuota {
		b.Verdict = contract.VerdictRemove
	}
	return b
}

// containersOf are n containers of a class in a row, named from first.
func containersOf(first string, n int, class contract.Class, reason string) (out []contract.ContainerBody) {
	for i := range n {
		out = append(out, containerOf(fmt.Sprintf("%s%d", first, i), class, reason, i+1))
	}
	return out
}

// addTick makes a tick: the removals it decides, the host's record and those of its containers.
func (s *scene) addTick(list ...contract.ContainerBody) {
	s.tick++
	counts := classCounts(contract.ClassCount{}, contract.ClassCount{})
	for _, b := range list {
		for i := range counts {
			if counts[i].Class != b.Class {
				continue
			}
			counts[i].Owned++
			if b.Rank > 0 {
				counts[i].Eligible++
			}
			if b.Verdict == contract.VerdictRemove {
				counts[i].Removals++
				s.emit(contract.ProducerManager, contract.DecisionBody{Subject: b.Subject, Mode: s.mode, Held: s.heldReason, Verdict: b.Verdict, Reason: b.Reason})
			}
		}
	}

	s.emit(contract.ProducerManager, contract.HostBody{Classes: counts, Mode: s.mode, Gates: s.gates, Held: s.heldReason, Memory: contract.Memory{TotalKB: 1 << 20}})
	for _, b := range list {
		s.emit(contract.ProducerManager, b)
	}
}

// ruledOf is a container on a tick under a policy of version 2, for which the step is due.
func ruledOf(id, step string) contract.ContainerBody {
	b := containerOf(id, contract.ClassUnknown, "holds", 0)
	b.Ruling = contract.Ruling{Rule: "two each", Step: step}
	if step == "remove" {
		b.Verdict = contract.VerdictRemove
	}
	return b
}

// addRuledTick makes a tick under a policy of version 2: it has no classes. One that has ended is recorded beside.
func (s *scene) addRuledTick(list ...contract.ContainerBody) {
	s.tick++
	own := len(list)
	s.emit(contract.ProducerManager, contract.HostBody{
		Mode: s.mode, Gates: s.gates, Held: s.heldReason, Memory: contract.Memory{TotalKB: 1 << 20}, Own: &own, PolicyHash: "0123456789abcdef",
		Groups: []contract.GroupCount{{Rule: "two each", Places: 1, Held: 1, Over: own - 1}},
	})
	for _, b := range list {
		if b.Step != "keep" {
			b.Held = s.heldReason
		}
		s.emit(contract.ProducerManager, b)
	}

	ended := ruledOf("z", "keep")
	ended.State, ended.Why, ended.Measured = contract.StateExited, contract.UnmeasuredNotRunning, false
	s.emit(contract.ProducerManager, ended)
}

// addBlindTick makes a tick that saw nothing.
func (s *scene) addBlindTick(gates ...string) {
	s.tick++
	s.emit(contract.ProducerManager, contract.HostBody{Mode: s.mode, Gates: gates})
}

func (s *scene) addAction(id, action, phase, outcome string) {
	s.emit(contract.ProducerManager, contract.ActionBody{
		Subject: contract.Subject{Container: id}, Action: action, Phase: phase, Outcome: outcome, Removes: action == contract.ActionRemove, Error: "device busy",
	})
}

func (s *scene) addLaunch(id string, class contract.Class, lifetime uint64) {
	s.emit(contract.ProducerGenerator, contract.LaunchBody{
		Subject: contract.Subject{Container: id, Name: id, Image: "low-idle", Class: class}, Outcome: contract.LaunchStarted, LifetimeS: lifetime,
	})
}

func (s *scene) addEvent(producer, event, level, message string) {
	s.emit(producer, contract.SystemBody{Event: event, Level: level, Message: message})
}
