package sign

import "testing"

// BenchmarkVerify measures what a request costs from its arrival to a proven claim.
func BenchmarkVerify(b *testing.B) {
	for _, bm := range []struct {
		name string
		vector
	}{
		{"RPC", rpcVectors[1]},
		{"ACS3", acs3Vectors[2]},
		{"TC3", tc3Vectors[2]},
		{"TC3 without port", tc3Vectors[3]},
		{"HmacSHA1", tencentV1Vectors[0]},
		{"HmacSHA256", tencentV1Vectors[1]},
		{"ZC2", zc2Vectors[1]},
		{"Bearer", vector{request: bearer, secret: "TOKENEXAMPLE"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := authenticate(bm.request, bm.secret); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
