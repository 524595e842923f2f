// Package upgrade replaces the agent's program while commands run on. It has two halves, which meet in a folder:
//
// The Upgrader lives in a running agent. It takes the server's offers, believes what enough of the pinned release keys have signed, fetches
// and checks the programs, and switches to them by making them the current ones and ending the agent.
//
// The Launcher is what every start of the installed program begins with. It decides which program runs: the current one if it is still what
// was signed, else the one before, else the installed one itself. A new program runs on trial, as a child that the launcher watches, until
// the server has welcomed it; if it ends, hangs or is never welcomed, the launcher goes back and remembers it as bad.
//
// A launcher may be years older than the agents that it starts. So the form of the folder only ever grows, and nothing that an older launcher
// does not know may matter to it:
//
//	programs/current       symbolic link to the folder of the version that runs; missing for the installed program
//	programs/VERSION/      errand-agent, errand-supervise, and release.json, which proves them
//	programs/keys.json     the pinned lists of release keys, the newest last
//	programs/state.json    what is on trial, what is bad, and what became of the latest offer
//	programs/fetching/     what is not whole yet
//
// Every step is on disk before the next begins, in an order in which stopping anywhere leaves a program to run: the trial is written down,
// then the link is moved. A version that is current without a trial has proved itself, unless it is among the bad ones.
package upgrade
