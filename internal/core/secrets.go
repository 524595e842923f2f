package core

import "strings"

// Limits of secrets, in bytes and in number.
const (
	maxSecrets      = 100
	maxSecret       = 32 << 10
	maxSecretsTotal = 128 << 10
)

// checkSecrets applies the limits to secrets that are passed to a run as variables of its environment.
func checkSecrets(secrets map[string]string) error {
	if len(secrets) > maxSecrets {
		return limited(ReasonParamCount, "secrets", "more than %d", maxSecrets)
	}
	total := 0
	for name, value := range secrets {
		total += len(name) + len(value)
		switch {
		case !variableName(name):
			return invalid(ReasonParamNameInvalid, "secrets", "%q is not a name for a variable", name)
		case len(value) > maxSecret:
			return limited(ReasonParamValueType, "secrets", "%s has more than %d bytes", name, maxSecret)
		case strings.ContainsRune(value, 0):
			return invalid(ReasonParamValueType, "secrets", "%s has a NUL byte", name)
		}
	}
	if total > maxSecretsTotal {
		return limited(ReasonParamValueType, "secrets", "more than %d bytes in all", maxSecretsTotal)
	}
	return nil
}

// variableName reports whether a shell could name a variable so. Those of Errand itself are not for others to set.
func variableName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 128 && !strings.HasPrefix(name, "ERRAND_")
}
