package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Patience with processes that are to end.
const (
	killPatience = 5 * time.Second
	killInterval = 100 * time.Millisecond
)

// Exec is a script to be run.
type Exec struct {
	// Script is read by /bin/sh whatever its first line says, and taken as it is: lines end in LF.
	Script []byte
	// User and WorkDir are for Docker only, and empty for the container's own. CRI has no place for them.
	User, WorkDir string
	// Stdout and Stderr take the output as it comes; nil discards it. They are never called at the same time, so they may be the same.
	Stdout, Stderr io.Writer
}

// stream is the conversation with a program inside a container. Writing goes to its standard input.
type stream interface {
	io.WriteCloser
	// next returns the next piece of output, valid until the next call, and whether it is of the error stream; io.EOF after the last.
	next() (data []byte, stderr bool, err error)
	// exit returns the exit code, after the output has ended or the stream was closed.
	exit() (int, error)
}

// Process is a script that runs in a container. Its methods may be called from several goroutines.
type Process struct {
	target Target
	mark   string
	stream stream

	done chan struct{} // closed when the following are final
	code int
	err  error
}

// Start runs a script. The context bounds the start alone; the script ends by itself or by Kill. The error is an *Error if the runtime or
// the container is to blame.
func (t Target) Start(ctx context.Context, e Exec) (*Process, error) {
	mark := rand.Text()
	argv, input, err := wrap(e.Script, mark)
	if err != nil {
		return nil, err
	}
	s, err := t.open(ctx, command{argv, e.User, e.WorkDir})
	if err != nil {
		return nil, err
	}
	p := &Process{target: t, mark: mark, stream: s, done: make(chan struct{})}
	go p.follow(input, e.Stdout, e.Stderr)
	return p, nil
}

func (t Target) open(ctx context.Context, c command) (stream, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.engine.exec(ctx, t.ID, c)
}

// follow feeds the program and copies its output until it ends. A program that does not read, or a writer that fails, does not keep the
// output from being drained.
func (p *Process) follow(input []byte, stdout, stderr io.Writer) {
	defer close(p.done)
	var feed sync.WaitGroup
	feed.Go(func() { _, _ = p.stream.Write(input) }) // if it is lost the shell says so
	lost, err := drain(p.stream, stdout, stderr)
	if errors.Is(err, io.EOF) {
		p.code, p.err = p.stream.exit()
	} else {
		p.code, p.err = -1, broken("read output", err)
	}
	if p.err == nil && lost != nil {
		p.err = fmt.Errorf("write output: %w", lost)
	}
	p.stream.Close()
	feed.Wait()
}

// drain copies to the writers until the stream ends with err. A writer's error does not end it.
func drain(s stream, stdout, stderr io.Writer) (lost, err error) {
	for {
		data, isErr, err := s.next()
		w := stdout
		if isErr {
			w = stderr
		}
		if lost == nil && w != nil && len(data) > 0 {
			_, lost = w.Write(data)
		}
		if err != nil {
			return lost, err
		}
	}
}

// Wait returns the exit code of the script; 128 plus its number for a signal. An *Error says that the runtime lost the process from
// sight, any other that a writer failed. A child that keeps the output open delays Wait by a few seconds of silence at most with Docker;
// CRI does not tell that the script has ended before its output has, so there the child delays Wait until its own end or Kill.
func (p *Process) Wait() (exit int, err error) {
	<-p.done
	return p.code, p.err
}

// Kill ends the script and everything it started, wherever inside the container it went: with SIGTERM, and after the grace with SIGKILL.
// It returns when nothing is left, and Wait then returns too. The error is an *Error and says that something survived, that the runtime
// did not help, or that ctx ended before.
func (p *Process) Kill(ctx context.Context, grace time.Duration) error {
	k := killer{Process: p, told: map[processID]bool{}}
	err := k.end(ctx, terminate, grace)
	if err != nil && ctx.Err() == nil {
		err = k.end(ctx, kill, killPatience)
	}
	p.stream.Close() // has ended, or is held open by somebody beyond our reach
	if err != nil && !errors.Is(err, errSilent) {
		return broken("kill", err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return broken("kill", ctx.Err())
	}
}

// signal is what a process can be sent, by the name that the shell's kill knows.
type signal string

const (
	terminate signal = "TERM"
	kill      signal = "KILL"
)

// processID names a process of this machine for all time.
type processID struct {
	pid   int
	ticks uint64 // start time since boot
}

// errSilent says that nothing is left of a script whose output goes on. It may only be about to begin, or somebody else holds the output.
var errSilent = errors.New("nothing left to signal")

// killer remembers what one Kill has found out.
type killer struct {
	*Process
	visible bool               // the processes can be seen from here
	told    map[processID]bool // were sent a signal; SIGTERM is said only once, and who has lost the mark is not lost from sight
	inner   []string           // so were those that can only be reached from inside
}

// end repeats a signal until nothing is left and the output has ended.
func (k *killer) end(ctx context.Context, sig signal, patience time.Duration) error {
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for {
		left, err := k.round(ctx, sig)
		done := k.done
		if left > 0 || err != nil {
			done = nil
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-giveUp.C:
			switch {
			case err != nil:
				return err
			case left > 0:
				return &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("%d processes survived", left)}
			}
			return errSilent
		case <-time.After(killInterval):
		}
	}
}

// round sends a signal to what is there now, from outside if possible, and counts it.
func (k *killer) round(ctx context.Context, sig signal) (left int, err error) {
	list, err := marked(k.target.proc, k.mark, k.told)
	for _, id := range list {
		if sig == terminate && k.told[id] {
			continue
		}
		k.told[id] = true
		send(k.target.proc, id, sig)
	}
	if len(list) > 0 || k.visible {
		k.visible = true
		return len(list), err
	}
	return k.inside(ctx, sig)
}

// inside has a shell in the container do the same.
func (k *killer) inside(ctx context.Context, sig signal) (left int, err error) {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	s, err := k.target.open(ctx, command{argv: []string{shell, "-c", signaller}, user: "0"})
	if fault := faultOf(err); fault == NotFound || fault == StateAbnormal {
		select {
		case <-k.done: // the whole container has ended
			return 0, nil
		default:
		}
	}
	if err != nil {
		return 0, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })()
	told := ""
	if sig == terminate {
		told = strings.Join(k.inner, " ")
	}
	if _, err := fmt.Fprintf(s, "%s\n%s\n%s\n", sig, k.mark, told); err != nil {
		return 0, broken("signal inside the container", err)
	}
	var out, complaint bytes.Buffer
	if _, err := drain(s, &out, &complaint); !errors.Is(err, io.EOF) {
		return 0, broken("signal inside the container", err)
	}
	if !strings.HasSuffix(out.String(), "\n") {
		return 0, &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("signal inside the container: %q", complaint.String()), Err: ctx.Err()}
	}
	k.inner = strings.Fields(out.String())
	return len(k.inner), nil
}
