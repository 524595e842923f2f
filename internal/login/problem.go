package login

// Problem is why somebody is at the login page: a word for ?error=, which the console has a text for in each of its languages.
type Problem string

// The problems.
const (
	NoProblem    Problem = ""
	Insecure     Problem = "insecure"      // a login would travel in clear
	Expired      Problem = "expired"       // the login has ended
	ProviderDown Problem = "provider-down" // the identity provider does not answer; a key still signs in
	Refused      Problem = "refused"       // the identity provider says no, or what it says does not hold
	NoUser       Problem = "no-user"       // it says who, and there is no such user here
	Stale        Problem = "stale"         // the way to it and back took too long, or began in another browser
	Broken       Problem = "broken"        // this server's own fault; its log says more
)

// Problems lists them all, for those who have texts for them.
func Problems() []Problem {
	return []Problem{Insecure, Expired, ProviderDown, Refused, NoUser, Stale, Broken}
}
