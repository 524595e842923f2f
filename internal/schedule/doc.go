// Package schedule says when something repeats: one neutral Plan for the vendors' cron, rate() and at() expressions and for five-field
// crontabs, read strictly and evaluated the same way by the server, which refuses what makes no sense, and by a node, which may be
// offline. It knows no clock and keeps no state; zone data is linked in, so every zone exists on every machine.
//
// # Which moment comes next
//
// Next returns the first firing strictly after a moment. It is a pure function of its arguments: what to do about missed firings or a
// clock that was set back is the caller's affair, and a caller that always passes the previous firing never sees one twice.
//
// A rate fires at created + k*interval for k = 1, 2, ... in elapsed time; zones do not matter. An at fires once.
//
// A cron fires at whole seconds at which the wall clock of its zone shows a matching date and time. A date matches when year and month
// do and when the day does; if both day of month and day of week are restricted, that is if neither is written * or ?, one of the two
// is enough. L, W and # count within one month: 31W is silent in a month of 30 days, 5#5 in a month with four Fridays.
//
// # When the clocks change
//
// Forward: matching times that the clock skips fire later by what was skipped, so in a night that goes from 02:00 to 03:00 a 02:30 fires
// at 03:30. If 03:30 matches too, that is one firing.
//
// Back: of the two moments that show the same time, an hour that was named (2, 1-4, a list) fires at the first only, while an hour that
// comes from * or a step (*, */2, 8-18/2) fires at both. An hourly job therefore runs every real hour and a nightly one once a night.
//
// Both rules hold whatever the size of the change: half an hour on Lord Howe, a whole day when Samoa crossed the date line.
package schedule
