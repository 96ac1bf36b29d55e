package vfs

// Origin is the connection that an upload came over, for events of it that come when
// that has ended. What clients say is as short as in events, and not escaped.
type Origin struct {
	Conn   string  `json:"conn"`
	Source string  `json:"source"` // address and port
	Client string  `json:"client,omitempty"`
	Method string  `json:"method,omitempty"`
	Key    string  `json:"key,omitempty"` // "SHA256:..."
	Cert   *Signed `json:"cert,omitempty"`
}

// Signed tells of a user certificate.
type Signed struct {
	KeyID  string `json:"id"`
	Serial uint64 `json:"serial"`
	CA     string `json:"ca"` // "SHA256:..."
}
