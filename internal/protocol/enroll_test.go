package protocol

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEnrollForm pins what agents in the field send and sign; neither may change.
func TestEnrollForm(t *testing.T) {
	t.Parallel()
	r := EnrollRequest{
		CodeID: "id", CodeSecret: "secret", PublicKey: "U", Timestamp: 1795325864, Signature: []byte{1, 2}, NodeID: "n", Name: "N",
		Tags: []EnrollTag{{Key: "k", Value: "v"}}, MachineID: "m", Facts: EnrollFacts{
			Hostname: "h", OS: "linux", OSName: "Debian", Kernel: "6", Arch: "arm64", Agent: "1", IPs: []string{"::1"}, Zone: "UTC",
			BootID: "b", Features: []string{"f"},
		},
	}
	const text = "errand-enroll-1\nPOST\n/agent/enroll\nid\nU\n1795325864"
	if diff := cmp.Diff(text, string(r.SigningText())); diff != "" {
		t.Errorf("signing text (-want +got):\n%s", diff)
	}
	const form = `{"code_id":"id","code_secret":"secret","public_key":"U","timestamp":1795325864,"signature":"AQI=",` +
		`"node_id":"n","name":"N","tags":[{"key":"k","value":"v"}],"machine_id":"m","facts":{"hostname":"h","os":"linux",` +
		`"os_name":"Debian","kernel":"6","arch":"arm64","agent":"1","ips":["::1"],"zone":"UTC","boot_id":"b","features":["f"]}}`
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(form, string(b)); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	b, err = json.Marshal(EnrollAnswer{NodeID: "n", NodeKey: 7, AccountID: "1", NATSURLs: []string{"tls://h:1"}, CA: "PEM", Heartbeat: 60})
	if err != nil {
		t.Fatal(err)
	}
	const answer = `{"node_id":"n","node_key":7,"account_id":"1","nats_urls":["tls://h:1"],"ca":"PEM","heartbeat":60}`
	if diff := cmp.Diff(answer, string(b)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
