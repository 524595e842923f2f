// Package api is what the vendors' dialects share at the edge: reading a request within limits, offering it to each dialect, proving who
// calls, decoding parameters, calling the action and writing one answer with one audit line.
//
// A dialect is a translator with tables. It says how to recognise a request, which signature schemes it takes, which actions it has and
// what its errors look like; every rule that two vendors would need is in core.
package api
