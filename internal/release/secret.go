package release

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// Keys are kept in files of the usual form, PKCS #8 and PKIX in PEM, so that other programs can make and keep them too:
// openssl genpkey -algorithm ed25519.
const (
	secretBlock = "PRIVATE KEY"
	publicBlock = "PUBLIC KEY"
)

// EncodeSecret returns the file of a secret key.
func EncodeSecret(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: secretBlock, Bytes: der}), err
}

// EncodePublic returns the file of a public key.
func EncodePublic(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), err
}

// ReadSecret reads the file of a secret key.
func ReadSecret(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != secretBlock {
		return nil, errors.New("not a secret key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if own, ok := key.(ed25519.PrivateKey); ok {
		return own, nil
	}
	return nil, errors.New("not an ed25519 key")
}

// ReadPublic reads the file of a public key.
func ReadPublic(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != publicBlock {
		return nil, errors.New("not a public key in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if own, ok := key.(ed25519.PublicKey); ok {
		return own, nil
	}
	return nil, errors.New("not an ed25519 key")
}
