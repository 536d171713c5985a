package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// policyHashDigits is enough to tell policies apart by eye and in a query; it is no proof against a forger.
const policyHashDigits = 16

// Hash names the effective policy: the first 16 hex digits of the SHA-256 of its JSON. Two documents that say the same
// (a missing key and its default, another order of keys) have the same hash.
func (p Policy) Hash() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // no field of Policy can fail to marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:policyHashDigits]
}
