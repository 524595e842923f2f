// Package campaign breaks a whole installation on purpose, for minutes or for hours: a server and several agents as processes of their own,
// faults that follow a plan drawn from a seed, and thousands of commands whose own notes say at the end what really ran. It consists of its test;
// docs/faults.md says what it breaks and what is promised.
package campaign
