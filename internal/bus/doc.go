// Package bus carries protocol messages over NATS: the server's end, which hears all nodes and speaks to each, and a node's end, which
// hears and speaks on its own subjects only. It is the only package, with its broker, that knows NATS.
//
// Nothing here is durable and nothing needs to be: see the written contract in package protocol.
package bus
