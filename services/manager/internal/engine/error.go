package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// Kind says what an engine error means for the container it was about.
type Kind int

// Kinds of errors.
const (
	KindNone        Kind = iota
	KindGone             // 404: no such container
	KindNotRunning       // 409: it has no process to signal
	KindRemoving         // 409: the engine is removing it already
	KindTimeout          // no answer in time: the call may still take effect
	KindServer           // 5xx: the call may have taken effect
	KindUnreachable      // the engine could not be reached at all
	KindOther            // the engine understood and said no
	KindVersion          // it does not speak the API version of the call
	KindUnsupported      // 404 of an unknown route, 405, 501: the engine has no such call
	KindVanished         // 5xx: the container went away during the call, which may have been what removed it
)

func (k Kind) String() string {
	names := [...]string{"none", "gone", "not_running", "removing", "timeout", "server", "unreachable", "other", "version", "unsupported", "vanished"}
	if k < 0 || int(k) >= len(names) {
		return "other"
	}
	return names[k]
}

// Indeterminate says that the call may or may not have taken effect: the state must be read before anything is tried
// again.
func (k Kind) Indeterminate() bool { return k == KindTimeout || k == KindServer || k == KindVanished }

// EngineFault says that the engine, rather than the container, is in trouble. Such errors count for the breaker.
func (k Kind) EngineFault() bool {
	return k == KindTimeout || k == KindServer || k == KindUnreachable
}

// Error is a failed operation.
type Error struct {
	Op   string // list, look (an inspection; the word is published), kill, stop, remove, update, info
	ID   string // "" where the operation is not about one container
	Kind Kind
	Err  error
}

func (e *Error) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("engine %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("engine %s %.12s: %v", e.Op, e.ID, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error of this package, KindNone for nil and KindOther for a stranger.
func KindOf(err error) Kind {
	if err == nil {
		return KindNone
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindOther
}

func wrap(op, id string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, ID: id, Kind: classify(op, err), Err: err}
}

// classify reads the status the engine answered with. Where one status has several causes they differ by text only:
// Docker's two conflicts that matter (daemon/kill.go "is not running", daemon/delete.go "removal of container … is
// already in progress"), and with podman all but a wrong route, since a container's state is a 500 or a 409 to it
// (libpod/define/errors.go).
func classify(op string, err error) Kind {
	text := strings.ToLower(err.Error())

	// The order matters where one answer would fit two cases: a 404 of a container before one of a route, and podman's
	// words for a state before the status that it gives to all of them.
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), isTimeout(err):
		return KindTimeout
	case errors.Is(err, errTooLarge):
		return KindOther
	case refusesVersion(err):
		return KindVersion
	case errdefs.IsNotFound(err) && strings.Contains(text, noSuchContainer):
		return KindGone
	case lacksCall(err, text):
		return KindUnsupported
	case strings.Contains(text, "already in progress"), strings.Contains(text, "marked for removal"):
		return KindRemoving
	case errdefs.IsConflict(err) && strings.Contains(text, "not running"):
		return KindNotRunning
	case client.IsErrConnectionFailed(err):
		return connectionKind(err)
	case strings.Contains(text, stateImproper):
		return improperKind(op, text)
	case strings.Contains(text, noSuchContainer), strings.Contains(text, "container has already been removed"):
		return KindVanished
	case errdefs.IsInternal(err), errdefs.IsUnavailable(err), errdefs.IsUnknown(err):
		return KindServer
	default:
		return transportKind(err)
	}
}

// noSuchContainer is in what both engines say of a container that is not there: Docker "No such container: …", podman
// "no container with name or ID … found: no such container". A 404 without it is about the route.
const noSuchContainer = "no such container"

// stateImproper is in what podman says of a container whose state does not allow the call.
const stateImproper = "container state improper"

// lacksCall says that the engine does not have the call at all: it does not know the route (podman before 5.1 has no
// update: "Not Found"), the method on it, or answers that it does not do that.
func lacksCall(err error, text string) bool {
	return errdefs.IsNotFound(err) || errdefs.IsNotImplemented(err) || strings.Contains(text, "method not allowed")
}

// improperKind tells podman's refusals for a container's state apart. Of a kill and of a stop it means that there is
// nothing to signal, or, rarely, that it is paused: whoever asks looks at the container again.
func improperKind(op, text string) Kind {
	switch {
	case strings.Contains(text, "being removed"):
		return KindRemoving
	case op == "kill", op == "stop":
		return KindNotRunning
	default:
		return KindOther
	}
}

// refusesVersion says that the engine does not speak the API version of the call (api/server/middleware/version.go).
func refusesVersion(err error) bool {
	if err == nil || !errdefs.IsInvalidArgument(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "client version") && (strings.Contains(text, "is too old") || strings.Contains(text, "is too new"))
}

// ConnectionRefused says that no connection was made: the socket is not there, or nobody listens on it. An engine that
// is slow, or that this user may not speak to, is another matter.
func ConnectionRefused(err error) bool {
	return KindOf(err) == KindUnreachable && !errors.Is(err, fs.ErrPermission)
}

// Advice is what to do about an error, by its cause; "" where the error says it itself, or nothing better is known than
// to look whether the engine runs.
func Advice(err error) string {
	switch kind := KindOf(err); {
	case errors.Is(err, fs.ErrPermission):
		return "let this user use the engine's socket: make up writes a user that may into .env"
	case ConnectionRefused(err):
		return "start the Docker engine, and check that GESTOR_ENGINE names its socket"
	case errors.Is(err, errTooLarge):
		return "find what has so many or such large labels (docker ps --all --format '{{.ID}} {{.Labels}}'), and remove it"
	case kind == KindTimeout:
		return "the engine answers too slowly: take load off the host, and look at the engine's own log (journalctl -u docker)"
	case kind == KindVersion:
		return "unset " + client.EnvOverrideAPIVersion + " where it is set, so that manager and engine agree on a version; else one of the two is too old for the other"
	case kind == KindUnsupported:
		return "use Docker 20.10 or later, or podman 4.3 or later, and see that nothing between the manager and GESTOR_ENGINE filters its calls"
	case kind == KindServer:
		return "look at the engine's own log (journalctl -u docker)"
	default:
		return ""
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// connectionKind tells a connection that could not be made from one that broke: of the latter the client says the same,
// but the request may have been carried out.
func connectionKind(err error) Kind {
	var op *net.OpError
	var request *url.Error
	if errors.As(err, &request) && !(errors.As(err, &op) && op.Op == "dial") {
		return KindServer
	}
	return KindUnreachable
}

// transportKind tells a refused request (the engine answered with a client error) from a broken connection, after which
// nobody knows whether the request was carried out.
func transportKind(err error) Kind {
	if errdefs.IsInvalidArgument(err) || errdefs.IsPermissionDenied(err) || errdefs.IsConflict(err) ||
		errdefs.IsUnauthorized(err) || errdefs.IsNotModified(err) {
		return KindOther
	}
	return KindServer
}
