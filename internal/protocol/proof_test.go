package protocol

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func someProof() Proof {
	return Proof{
		PublicKey: "UDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF", Time: 1795325864, Nonce: [16]byte{1, 2, 3},
		Body: BodyHash(nil), Signature: bytes.Repeat([]byte{7}, 64),
	}
}

// TestProofForm pins what nodes in the field send and sign; neither may change.
func TestProofForm(t *testing.T) {
	t.Parallel()
	p := someProof()
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	const text = "errand-node-1\nPUT\n/agent/x?a=1\n" + nothing + "\nUDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF\n" +
		"1795325864\nAQIDAAAAAAAAAAAAAAAAAA"
	if diff := cmp.Diff(text, string(p.SigningText("PUT", "/agent/x?a=1"))); diff != "" {
		t.Errorf("signing text (-want +got):\n%s", diff)
	}
	header := "Errand-Node key=UDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF, time=1795325864, " +
		"nonce=AQIDAAAAAAAAAAAAAAAAAA, body=" + nothing + ", signature=" + strings.Repeat("BwcH", 21) + "Bw"
	if diff := cmp.Diff(header, p.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	got, err := ParseProof(header)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("proof (-want +got):\n%s", diff)
	}
}

func TestStreamedProof(t *testing.T) {
	t.Parallel()
	p := someProof()
	p.Body, p.Time = StreamedBody, -1
	got, err := ParseProof(p.Header())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseProofRefuses(t *testing.T) {
	t.Parallel()
	p := someProof()
	good := p.Header()
	for name, header := range map[string]string{
		"nothing":            "",
		"scheme alone":       "Errand-Node",
		"another scheme":     strings.Replace(good, "Errand-Node", "Bearer", 1),
		"scheme in capitals": strings.Replace(good, "Errand-Node", "ERRAND-NODE", 1),
		"another order":      strings.Replace(strings.Replace(good, "key=", "time=", 1), ", time=", ", key=", 1),
		"a member more":      good + ", x=1",
		"a member less":      good[:strings.LastIndex(good, ",")],
		"a space more":       strings.Replace(good, ", ", ",  ", 1),
		"time with a plus":   strings.Replace(good, "time=", "time=+", 1),
		"time with a zero":   strings.Replace(good, "time=", "time=0", 1),
		"short nonce":        strings.Replace(good, "nonce=AQID", "nonce=", 1),
		"padded nonce":       strings.Replace(good, "AAAA, body", "AAAA==, body", 1),
		"loose nonce bits":   strings.Replace(good, "AAAA, body", "AAAB, body", 1),
		"body in capitals":   strings.Replace(good, "e3b0", "E3B0", 1),
		"short body":         strings.Replace(good, "e3b0", "", 1),
		"no key":             strings.Replace(good, "UDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF", "", 1),
		"key with a newline": strings.Replace(good, "UDVE", "UD\nE", 1),
		"no body":            strings.Replace(good, BodyHash(nil), "", 1),
		"short signature":    good[:len(good)-4],
		"long":               good + strings.Repeat(" ", MaxProof),
	} {
		if _, err := ParseProof(header); err == nil {
			t.Errorf("%s: %q is a proof", name, header)
		}
	}
}

// FuzzParseProof reads strangers' headers: what is read is written the same way again.
func FuzzParseProof(f *testing.F) {
	p := someProof()
	f.Add(p.Header())
	f.Add("Errand-Node key=, time=, nonce=, body=, signature=")
	f.Fuzz(func(t *testing.T, header string) {
		p, err := ParseProof(header)
		if err == nil && p.Header() != header {
			t.Fatalf("%q became %q", header, p.Header())
		}
	})
}
