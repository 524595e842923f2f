// Package alibaba is what the two Alibaba Cloud dialects share: the gateway in front of every product (telling requests apart, the two
// signature schemes, JSON and XML answers, the error envelope) and the words that ECS and PAI Lingjun have in common for a
// command, its parameters and the state of a task.
//
// Each product's own actions, fields and error codes are in its dialect; no rule here is about one product alone.
package alibaba
