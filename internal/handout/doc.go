// Package handout makes what people copy out of Errand and paste elsewhere: the line that makes a machine a node, and the settings that point a client
// at a server. The command line and the console hand out the same.
package handout
