// Package sign verifies who signed a request, for the API dialects.
//
// It knows the signature schemes of the vendors whose APIs are spoken here: Alibaba's RPC (HMAC-SHA1) and
// ACS3-HMAC-SHA256, Tencent's TC3-HMAC-SHA256, HmacSHA1 and HmacSHA256, Zenlayer's ZC2-HMAC-SHA256 and bearer token.
// A dialect first parses a request into a [Claim], looks up the secret of the access key the claim names, and then
// asks the claim to check its time and its signature. Keys, policies and the vendors' error codes live elsewhere.
package sign
