package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// drive is a disk with a write cache that loses power: what was written since the last flush is then gone, in part, or
// torn. An emulator writes to it over NBD (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), because
// killing the emulator alone loses nothing that it has handed to the host's page cache.
type drive struct {
	mu      sync.Mutex // guards the following fields
	current []byte
	durable []byte
	pending []write       // since the last flush
	until   int           // the power goes after so many more writes; 0 = it stays
	off     chan struct{} // closed when it has gone
	flushes int
	lost    int // writes that power cuts have taken
}

var errOff = errors.New("the power has gone")

type write struct {
	offset uint64
	data   []byte
}

// sector is what a drive of today writes whole or not at all. With 512 bytes ext4 itself does not survive: its superblock
// takes two of them.
const sector = 4096

func newDrive(content []byte) *drive {
	return &drive{current: content, durable: append([]byte(nil), content...), off: make(chan struct{})}
}

// cutAfter lets the power go after some more writes, in the midst of what the machine does then.
func (d *drive) cutAfter(writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = writes
}

// cut takes the power: what the drive holds afterwards is what it will hold for ever.
func (d *drive) cut(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := func(int) bool { return rng.IntN(2) == 0 } // a cache writes in any order
	switch mode := rng.IntN(3); mode {
	case 0: // all is gone
		keep = func(int) bool { return false }
	case 1: // it was written in order
		end := rng.IntN(len(d.pending) + 1)
		keep = func(i int) bool { return i < end }
	}
	for i, w := range d.pending {
		if !keep(i) {
			d.lost++
			continue
		}
		for at := 0; at < len(w.data); at += sector {
			if torn := i == len(d.pending)-1; torn && rng.IntN(2) == 0 {
				continue
			}
			end := min(at+sector, len(w.data))
			copy(d.durable[w.offset+uint64(at):], w.data[at:end])
		}
	}
	d.pending, d.until, d.off = nil, 0, make(chan struct{})
	copy(d.current, d.durable)
}

// serve answers one emulator until it goes away.
func (d *drive) serve(t *testing.T, listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		t.Errorf("drive: %v", err)
		return
	}
	defer conn.Close()
	out := bufio.NewWriterSize(conn, 1<<20)
	in := bufio.NewReadWriter(bufio.NewReaderSize(conn, 1<<20), out)
	err = d.negotiate(in)
	for err == nil {
		err = d.request(in)
	}
	if errors.Is(err, errOff) {
		close(d.off)
		_, err = io.Copy(io.Discard, conn) // no answer until the machine is dead: not even an error
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isReset(err) {
		t.Errorf("drive: %v", err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) // the emulator was killed
}

// Numbers of the protocol.
const (
	nbdMagic        = 0x4e42444d41474943
	nbdOption       = 0x49484156454f5054
	nbdOptionReply  = 0x3e889045565a9
	nbdRequest      = 0x25609513
	nbdReply        = 0x67446698
	nbdFixed        = 1 << 0
	nbdNoZeroes     = 1 << 1
	nbdAbort        = 2
	nbdInfo         = 6
	nbdGo           = 7
	nbdRepAck       = 1
	nbdRepInfo      = 3
	nbdUnsupported  = 1<<31 | 1
	nbdHasFlags     = 1 << 0
	nbdSendFlush    = 1 << 2
	nbdRead         = 0
	nbdWrite        = 1
	nbdDisconnect   = 2
	nbdFlush        = 3
	nbdInvalidError = 22
)

// negotiate is the handshake, up to the choice of the only export.
func (d *drive) negotiate(in *bufio.ReadWriter) error {
	if err := put(in, uint64(nbdMagic), uint64(nbdOption), uint16(nbdFixed|nbdNoZeroes)); err != nil {
		return err
	}
	if _, err := in.Discard(4); err != nil { // the client's flags
		return err
	}
	for {
		var head struct {
			Magic        uint64
			Option, Size uint32
		}
		if err := binary.Read(in, binary.BigEndian, &head); err != nil {
			return err
		}
		if head.Magic != nbdOption || head.Size > 4096 {
			return fmt.Errorf("option %+v", head)
		}
		if _, err := in.Discard(int(head.Size)); err != nil {
			return err
		}
		reply := func(kind, size uint32) []any { return []any{uint64(nbdOptionReply), head.Option, kind, size} }
		var err error
		switch head.Option {
		case nbdInfo, nbdGo:
			export := []any{uint16(0), uint64(len(d.current)), uint16(nbdHasFlags | nbdSendFlush)}
			err = put(in, append(append(reply(nbdRepInfo, 12), export...), reply(nbdRepAck, 0)...)...)
		case nbdAbort:
			return errors.Join(put(in, reply(nbdRepAck, 0)...), io.EOF)
		default:
			err = put(in, reply(nbdUnsupported, 0)...)
		}
		if err != nil || head.Option == nbdGo {
			return err
		}
	}
}

func put(out *bufio.ReadWriter, values ...any) error {
	for _, v := range values {
		if err := binary.Write(out, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return out.Flush()
}

// request answers one request. They are answered in order, so that a flush covers every write answered before it.
func (d *drive) request(in *bufio.ReadWriter) error {
	var head struct {
		Magic       uint32
		Flags, Kind uint16
		Handle      uint64
		Offset      uint64
		Size        uint32
	}
	if err := binary.Read(in, binary.BigEndian, &head); err != nil {
		return err
	}
	if head.Magic != nbdRequest || head.Size > 64<<20 {
		return fmt.Errorf("request %+v", head)
	}
	var body []byte
	failure := uint32(0)
	outside := head.Offset+uint64(head.Size) > uint64(len(d.current))
	switch {
	case head.Kind == nbdDisconnect:
		return io.EOF
	case head.Kind == nbdFlush:
		d.flush()
	case head.Kind == nbdRead && !outside:
		body = d.read(head.Offset, head.Size)
	case head.Kind == nbdWrite:
		data := make([]byte, head.Size)
		if _, err := io.ReadFull(in, data); err != nil {
			return err
		}
		if outside {
			failure = nbdInvalidError
		} else if d.write(head.Offset, data) {
			return errOff
		}
	default:
		failure = nbdInvalidError
	}
	return put(in, uint32(nbdReply), failure, head.Handle, body)
}

func (d *drive) read(offset uint64, size uint32) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]byte(nil), d.current[offset:offset+uint64(size)]...)
}

// write takes data into the cache; last says that the power goes now.
func (d *drive) write(offset uint64, data []byte) (last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.current[offset:], data)
	d.pending = append(d.pending, write{offset, data})
	d.until--
	return d.until == 0
}

func (d *drive) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.pending {
		copy(d.durable[w.offset:], w.data)
	}
	d.pending = nil
	d.flushes++
}
