package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	queryRecent    = "last 15 minutes, newest 1,000"
	queryContainer = "one container, newest 1,000"
	queryChart     = "24 h of mean and maximum CPU per class in 10-minute buckets"
)

// ingestRow is one ingest measurement.
type ingestRow struct {
	batch, clients int
	perSecond      float64
	perCore        float64 // records per second of the server's processor time
	p50, p99       time.Duration
	rssMB          float64
}

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// measureIngests measures every shape of load on fresh data, the systems in turn, so that a machine that changes its pace
// changes it for all.
func measureIngests(systems []*system, r *report, work string) error {
	for _, batch := range []int{1, 100, 1000} {
		for _, clients := range []int{1, 8} {
			rows := make([][]ingestRow, len(systems))
			for range r.rounds {
				for i, s := range systems {
					row, err := s.measureIngest(work, batch, clients, r.length)
					if err != nil {
						return fmt.Errorf("%s: ingest %d × %d: %w", s.name, clients, batch, err)
					}
					rows[i] = append(rows[i], row)
				}
			}

			for i, s := range systems {
				row := middle(rows[i])
				s.ingested = append(s.ingested, row)
				fmt.Printf("%-12s %4d × %d clients: %8.0f records/s, %8.0f per core, p50 %v, p99 %v, %.0f MiB\n",
					s.name, batch, clients, row.perSecond, row.perCore, row.p50, row.p99, row.rssMB)
			}
		}
	}
	return nil
}

// middle is the run with the median figure per core.
func middle(rows []ingestRow) ingestRow {
	slices.SortFunc(rows, func(a, b ingestRow) int { return cmp.Compare(a.perCore, b.perCore) })
	return rows[len(rows)/2]
}

func (s *system) measureIngest(work string, batch, clients int, length time.Duration) (row ingestRow, err error) {
	data, err := os.MkdirTemp(work, "ingest-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(data)
	p, err := s.start(data)
	if err != nil {
		return row, err
	}
	defer p.stop()

	// Made before, so that making them is not measured: more than can be sent in the time.
	bodies := make([][]string, clients)
	for i := range bodies {
		src := newSource(uint64(i+1), day, 10*time.Second)
		for range min(300_000/batch/clients, 20_000) {
			bodies[i] = append(bodies[i], src.batch(batch))
		}
	}

	// Each client has a connection and counts for itself; the sums are added at its end, when nothing is measured any more.
	var mu sync.Mutex // guards took, sent and failed
	var took []time.Duration
	sent, failed := 0, error(nil)
	before, began := p.cpu(), time.Now()
	var senders sync.WaitGroup
	for _, batches := range bodies {
		senders.Go(func() {
			client := newClient()
			var latencies []time.Duration
			n := 0
			var err error
			for _, body := range batches {
				if time.Since(began) > length {
					break
				}

				start := time.Now()
				if err = client.post(s.ingest, body); err != nil {
					break
				}
				latencies = append(latencies, time.Since(start))
				n += batch
			}

			mu.Lock()
			defer mu.Unlock()
			took, sent = append(took, latencies...), sent+n
			if err != nil {
				failed = err
			}
		})
	}
	senders.Wait()

	elapsed, cpu := time.Since(began), p.cpu()-before
	if failed != nil {
		return row, failed
	}

	slices.Sort(took)
	return ingestRow{
		batch, clients, float64(sent) / elapsed.Seconds(), float64(sent) / cpu.Seconds(),
		took[len(took)/2], took[len(took)*99/100], p.peakMB(),
	}, nil
}

// measureQueries loads a day of records and asks.
func (s *system) measureQueries(work string, records int) error {
	data, err := os.MkdirTemp(work, "query-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	p, err := s.start(data)
	if err != nil {
		return err
	}

	src := newSource(1, day, 24*time.Hour/time.Duration(max(records/perTick, 1)))
	client := newClient()
	q := question{from: day, to: day.Add(24 * time.Hour)}

	// The container that is asked for is one of the middle of the day.
	for sent := 0; sent < records; sent += 1000 {
		if err := client.post(s.ingest, src.batch(1000)); err != nil {
			p.stop()
			return err
		}
		if sent <= records/2 {
			q.container = src.alive[7].id
		}
	}

	if err := s.settle(p); err != nil {
		p.stop()
		return err
	}
	p.stop()
	s.diskMB = diskMB(data)

	// Asked after a restart: what the writing left in memory is no part of the answer.
	if p, err = s.start(data); err != nil {
		return err
	}
	defer p.stop()

	s.queried, s.answers = map[string]time.Duration{}, map[string]int{}
	for name, url := range s.queries {
		took, lines, err := client.ask(url(q))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.queried[name], s.answers[name] = took, lines
		fmt.Printf("%-60s %v (%d bytes)\n", name, took, lines)
	}

	s.rssMB = p.peakMB()
	return nil
}

type client struct{ http *http.Client }

func newClient() *client { return &client{&http.Client{Timeout: 5 * time.Minute}} }

func (c *client) post(url, body string) error {
	res, err := c.http.Post(url, "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || strings.Contains(string(text), "rejected")) {
		err = fmt.Errorf("%s: %.300s", res.Status, text)
	}
	return err
}

// ask is the median of 15 answers after one to warm up, and the size of an answer.
func (c *client) ask(url string) (time.Duration, int, error) {
	var took []time.Duration
	size := 0
	for i := range 16 {
		began := time.Now()
		res, err := c.http.Get(url)
		if err != nil {
			return 0, 0, err
		}

		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return 0, 0, fmt.Errorf("%s %w: %.300s", res.Status, err, text)
		}

		if i > 0 {
			took = append(took, time.Since(began))
		}
		size = len(text)
	}

	slices.Sort(took)
	if size == 0 {
		return 0, 0, fmt.Errorf("an empty answer to %s", url)
	}
	return took[len(took)/2], size, nil
}
