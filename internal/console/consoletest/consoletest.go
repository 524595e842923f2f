// Package consoletest looks at the console with a real browser, Debian's Chromium, driven against the real server with real agents in one process.
package consoletest
