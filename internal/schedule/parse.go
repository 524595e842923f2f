package schedule

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxExpr     = 512                   // bytes; the longest sensible list of minutes is a third of it
	maxInterval = 1000 * 24 * time.Hour // the vendor's agent refuses longer ones
	maxSeconds  = int64(maxInterval / time.Second)
)

// Parse reads the three forms of a Frequency (ECS RunCommand, eflo-controller RunCommand):
//
//	rate(5m)                             n and s, m, h or d; at most 1000 days
//	at(2030-01-31 08:00:00 Asia/Tokyo)   no zone means UTC
//	0 15 8 ? * MON-FRI 2030 GMT+8:00     second minute hour day-of-month month day-of-week [year] [zone]
//
// In day-of-week 1 is Monday and 7 is Sunday. A seventh field is a year if it looks like one and a zone otherwise. A zone is a TZ
// database name with a slash, GMT+h:mm, GMT-h:mm, GMT or UTC. Anything that is not certainly meant is refused: a range that runs
// backwards, an empty list item, a day that no month has. The error is an [*Error], with ErrSyntax or ErrRange.
func Parse(expr string) (Plan, error) {
	p, err := parse(expr)
	return finish(p, expr, err)
}

// ParseCrontab reads five crontab fields, minute hour day-of-month month day-of-week, to be read in a zone; nil is the node's own. They
// may hold all that [Parse] allows in them, with the difference that day-of-week counts from Sunday, as 0 or 7. Unlike in some crons
// a step (*/2) in one of the day fields restricts it, so that either day field is enough, and not both are needed.
func ParseCrontab(expr string, zone *time.Location) (Plan, error) {
	p, err := parseCrontab(expr, zone)
	return finish(p, expr, err)
}

// finish gives a plan, or a refusal, the words it came from.
func finish(p Plan, expr string, err *Error) (Plan, error) {
	if err != nil {
		err.Expr = expr[:min(len(expr), maxExpr)]
		return Plan{}, err
	}
	p.expr = expr
	return p, nil
}

func parse(expr string) (Plan, *Error) {
	if err := checkText(expr); err != nil {
		return Plan{}, err
	}
	word, rest, isCall := strings.Cut(expr, "(")
	if !isCall {
		return parseCron(strings.Fields(expr))
	}
	body, closed := strings.CutSuffix(strings.TrimSpace(rest), ")")
	if !closed {
		return Plan{}, syntaxErr("", "the closing bracket is missing or not at the end")
	}
	switch word = strings.ToLower(strings.TrimSpace(word)); word {
	case "rate":
		return parseRate(strings.TrimSpace(body))
	case "at":
		return parseAt(strings.Fields(body))
	}
	return Plan{}, syntaxErr("", "%q is neither rate nor at", word)
}

// checkText lets only short printable ASCII through, so that what is echoed in errors and logs is harmless.
func checkText(expr string) *Error {
	if len(expr) > maxExpr {
		return syntaxErr("", "it is longer than %d bytes", maxExpr)
	}
	for i := range len(expr) {
		if c := expr[i]; (c < ' ' || c > '~') && c != '\t' && c != '\n' && c != '\r' {
			return syntaxErr("", "byte %d is not printable ASCII", i)
		}
	}
	return nil
}

func parseRate(body string) (Plan, *Error) {
	if body == "" {
		return Plan{}, syntaxErr("rate", "a number and a unit are missing")
	}
	var unit int64
	switch body[len(body)-1] {
	case 's', 'S':
		unit = 1
	case 'm', 'M':
		unit = 60
	case 'h', 'H':
		unit = 60 * 60
	case 'd', 'D':
		unit = 24 * 60 * 60
	default:
		return Plan{}, syntaxErr("rate", "it has to end in s, m, h or d")
	}
	n, ok := number(strings.TrimSpace(body[:len(body)-1]))
	if !ok {
		return Plan{}, syntaxErr("rate", "%q is not a number and a unit", body)
	}
	seconds := int64(n) * unit
	if seconds < 1 || seconds > maxSeconds {
		return Plan{}, rangeErr("rate", "it has to be from 1 second to 1000 days")
	}
	return Plan{kind: Rate, interval: time.Duration(seconds) * time.Second}, nil
}

// parseAt reads a date, a time and perhaps a zone. A T may join the first two, as the vendor's server writes them for its agents.
func parseAt(words []string) (Plan, *Error) {
	if len(words) > 0 && len(words[0]) == len("2006-01-02T15:04:05") && words[0][10] == 'T' {
		words = slices.Concat([]string{words[0][:10], words[0][11:]}, words[1:])
	}
	if len(words) < 2 || len(words) > 3 {
		return Plan{}, syntaxErr("at", "it has to be a date, a time and perhaps a zone, as in 2030-01-31 08:00:00 UTC")
	}
	zone := time.UTC
	if len(words) == 3 {
		var err *Error
		if zone, err = parseZone(words[2]); err != nil {
			return Plan{}, err
		}
	}
	if len(words[0]) != len("2006-01-02") || len(words[1]) != len("15:04:05") {
		return Plan{}, syntaxErr("at", "the moment has to be written as 2030-01-31 08:00:00")
	}
	wall, err := time.Parse("2006-01-02 15:04:05", words[0]+" "+words[1])
	if err != nil {
		return Plan{}, rangeErr("at", "%s %s is not a date and a time", words[0], words[1])
	}
	return Plan{kind: At, zone: zone, at: time.Unix(instant(wall.Unix(), zone), 0).UTC()}, nil
}

// parseCron reads six to eight fields.
func parseCron(words []string) (Plan, *Error) {
	var year, zone string
	switch len(words) {
	case 6:
	case 7:
		if looksLikeYear(words[6]) {
			year = words[6]
		} else {
			zone = words[6]
		}
	case 8:
		year, zone = words[6], words[7]
	default:
		return Plan{}, syntaxErr("", "it has %d fields instead of 6 to 8", len(words))
	}
	c, err := parseCalendar(words[:6], weekdayField, year)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{kind: Cron, cron: c}
	if zone != "" {
		p.zone, err = parseZone(zone)
	}
	return p, err
}

func parseCrontab(expr string, zone *time.Location) (Plan, *Error) {
	if err := checkText(expr); err != nil {
		return Plan{}, err
	}
	words := strings.Fields(expr)
	if len(words) != 5 {
		return Plan{}, syntaxErr("", "it has %d fields instead of 5", len(words))
	}
	c, err := parseCalendar(slices.Concat([]string{"0"}, words), crontabWeekdayField, "")
	return Plan{kind: Cron, cron: c, zone: zone}, err
}

// yearLike and offsetZone are the vendor's agent's own patterns, the second one anchored.
var (
	yearLike   = regexp.MustCompile(`^[*?]$|^\*/[0-9]+$|19[789][0-9]|20[0-9][0-9]`)
	offsetZone = regexp.MustCompile(`^GMT([+-])([0-9]|1[0-4]):([0-5][0-9])$`)
)

func looksLikeYear(word string) bool {
	return yearLike.MatchString(word)
}

func parseZone(word string) (*time.Location, *Error) {
	if word == "UTC" || word == "GMT" {
		return time.UTC, nil
	}
	if m := offsetZone.FindStringSubmatch(word); m != nil {
		hours, _ := strconv.Atoi(m[2]) // the pattern has seen to it
		minutes, _ := strconv.Atoi(m[3])
		offset := (hours*60 + minutes) * 60
		if m[1] == "-" {
			offset = -offset
		}
		return time.FixedZone(word, offset), nil
	}
	if strings.Contains(word, "/") {
		if zone, err := time.LoadLocation(word); err == nil {
			return zone, nil
		}
	}
	return nil, rangeErr("zone", "%q is not a TZ database name such as Europe/Berlin, nor GMT+h:mm with up to 14 hours, nor UTC", word)
}
