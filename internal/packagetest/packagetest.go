// Package packagetest installs the packages in a clean Debian and lives with them: enrolment by the line that errand enroll prints, upgrades while
// commands run, a bad upgrade and the way back, removal and purge. It holds tests alone.
//
// Each machine is a set of namespaces with a root of its own: a temporary layer over a Debian that scripts/debian-root made and that nothing
// changes, its own processes, and a network that is only a loopback. When its first process is killed, nothing of it is left, whatever the test
// did. No systemd runs in there, because it would want a whole machine; the first process stands in for it and does with the installed units what
// systemd would as far as these units ask: see manager_linux_test.go. That systemd understands them in the same way is for systemd-analyze to say,
// which the tests run as well.
package packagetest
