package agent

import (
	"os/exec"
	"testing"

	"errand/internal/protocol"
)

// BenchmarkCommand is one command after another, from the message that asks for it to the message with its result. The
// floor is the same script without an agent.
func BenchmarkCommand(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("sh", "-c", "echo hi").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("agent", func(b *testing.B) {
		s := newServer(b)
		n := newNode(b, s)
		n.start()
		s.await("hello", func() bool { return len(s.hellos) > 0 })
		b.ResetTimer()
		i := 0
		for b.Loop() {
			m := protocol.Run{Task: id(i), Spec: protocol.Spec{Content: []byte("#!/bin/sh\necho hi")}}
			s.run(m)
			s.result(m.Task)
			i++
		}
	})
	b.Run("agent, many at once", func(b *testing.B) {
		s := newServer(b)
		n := newNode(b, s)
		n.start()
		b.ResetTimer()
		for i := range b.N {
			s.run(protocol.Run{Task: id(i), Spec: protocol.Spec{Content: []byte("#!/bin/sh\necho hi")}})
		}
		for i := range b.N {
			s.result(id(i))
		}
	})
}
