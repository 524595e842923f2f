package campaign

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a server or an agent: a program that is started again whenever it ends, as a service manager would.
type process struct {
	c       *campaign
	name    string
	log     string
	program string
	args    []string
	env     func() []string
	full    *disk // that it lives on

	turn   sync.Mutex // held by who ends it and starts it again
	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	wanted bool          // it is to run
}

// restartAfter is how long after an unwanted end the program is started again.
const restartAfter = 300 * time.Millisecond

func (p *process) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	p.run()
}

// run is called with the lock held.
func (p *process) run() {
	out, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		p.c.fail("%s: %v", p.name, err)
		return
	}
	defer out.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Env = append(os.Environ(), p.env()...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.c.fail("start %s: %v", p.name, err)
		return
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	p.c.running.Go(func() {
		err := cmd.Wait()
		close(ended)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.cmd != cmd || !p.wanted {
			return
		}
		if !p.full.wasFull() {
			p.c.fail("%s ended by itself: %v", p.name, err)
		}
		p.c.history.note(p.name, "ended by itself: %v", err)
		time.AfterFunc(restartAfter, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.cmd == cmd && p.wanted {
				p.run()
			}
		})
	})
}

// end sends a signal that ends the program, and waits for that.
func (p *process) end(sig syscall.Signal) {
	p.mu.Lock()
	p.wanted = false
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		p.c.fail("%s does not end by itself", p.name)
		_ = cmd.Process.Kill()
		<-ended
	}
}

func (p *process) kill() { p.end(syscall.SIGKILL) }
func (p *process) stop() { p.end(syscall.SIGTERM) }

// again ends the program and starts it again after a while. Whoever comes meanwhile has to wait.
func (p *process) again(sig syscall.Signal, after time.Duration) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.end(sig)
	time.Sleep(after)
	p.start()
}

func (p *process) pause(long time.Duration) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.signal(syscall.SIGSTOP)
	time.Sleep(long)
	p.signal(syscall.SIGCONT)
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig)
	}
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// descriptors counts the open files of the program.
func (p *process) descriptors() (n int, names []string) {
	dir := fmt.Sprintf("/proc/%d/fd", p.pid())
	list, err := os.ReadDir(dir)
	if err != nil {
		p.c.fail("%s: %v", p.name, err)
	}
	for _, f := range list {
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil {
			names = append(names, to)
		}
	}
	return len(names), names
}
