// Package core is the product without its wires: accounts, nodes, commands, invocations and tasks, the states a task goes
// through, the rules every caller meets, and what the rules ask of a store.
//
// It knows no transport, no database, no vendor and no process. Time, randomness and ids come in as arguments or through
// Config; nothing here sleeps or starts a goroutine. The vendors' words, limits and errors live in the dialects, which pass their
// limits in as data and translate what comes out.
//
// Start reading at state.go, then run.go (how an invocation begins), report.go (how it ends) and store.go (what is kept).
package core
