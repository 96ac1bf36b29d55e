package admin

import "time"

// The states of a server.
const (
	Serving  = "serving"
	Draining = "draining" // no new connections; it ends after the transfers
)

// Status is how the server is. Names in it that come from clients are not escaped.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptime_seconds"`
	State    string    `json:"state"`    // Serving or Draining
	Problems []string  `json:"problems"` // what needs an operator, the worst first

	Limits    []Limit   `json:"limits"`
	Transfers Transfers `json:"transfers"`
	Traffic   Traffic   `json:"traffic"`
	Libraries []Library `json:"libraries"`
	Refused   []Refused `json:"refused_connections"`
	Reload    *Reload   `json:"last_reload,omitempty"` // nil is none yet
	Audit     *Audit    `json:"audit,omitempty"`       // nil is no audit log

	Bans       int           `json:"bans"`                    // sources that are turned away
	SourceMost int           `json:"connections_of_a_source"` // of the one that has most
	Panics     int64         `json:"panics"`
	HostCerts  []Certificate `json:"host_certificates,omitempty"`
}

// Limit is how much of something there is, and how much there may be.
type Limit struct {
	Name    string `json:"name"`
	Use     int64  `json:"use"`               // now
	Limit   int64  `json:"limit"`             // 0 is none
	Unit    string `json:"unit,omitempty"`    // "" is a count, or "bytes"
	Setting string `json:"setting,omitempty"` // that sets it
	Help    string `json:"meaning"`           // what is counted
}

// Transfers is how many files are moved now.
type Transfers struct {
	Uploads   int `json:"uploads"`
	Downloads int `json:"downloads"`
}

// Traffic is how many bytes of content were moved since the start.
type Traffic struct {
	Received int64 `json:"received_bytes"`
	Sent     int64 `json:"sent_bytes"`
}

// Library is one that is served.
type Library struct {
	Name       string     `json:"name"`
	Problem    string     `json:"problem,omitempty"` // "" is none
	Free       int64      `json:"free_bytes"`        // that uploads can still take; -1 is not known
	Size       int64      `json:"size_bytes"`        // of the file system, or the quota
	FreeFiles  int64      `json:"free_files"`
	Quota      int64      `json:"quota_bytes"` // 0 is none
	MaxFiles   int64      `json:"max_files"`   // 0 is none
	Used       *Held      `json:"used,omitempty"`
	Partials   int        `json:"partials"`              // uploads that were cut and can be resumed
	LastUpload *time.Time `json:"last_upload,omitempty"` // since the start
	Gate       *Gate      `json:"gate,omitempty"`        // nil is none
}

// Gate judges files before they are published.
type Gate struct {
	Problem string `json:"problem,omitempty"` // why it gives no verdict; "" is none
	Held    *Held  `json:"held,omitempty"`    // what waits for its verdict; nil is that clients wait
	Failing int64  `json:"failing,omitempty"` // how many of these files were tried without success
}

// Held is what a library holds, if it is counted, or its gate.
type Held struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"`
}

// Refused is how many connections were turned away for one reason since the start.
type Refused struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Reload is how the last one went.
type Reload struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"` // "" is that it worked
}

// Audit is how it goes with the audit log.
type Audit struct {
	Lines    int64  `json:"lines"`
	Failures int64  `json:"failures"`
	Failing  string `json:"failing,omitempty"` // why lines are missing now
}

// Certificate is one that shows who the server is.
type Certificate struct {
	Type    string    `json:"type"`
	Expires time.Time `json:"expires"`
}

// Connection is one that is logged in. What its client says is not escaped.
type Connection struct {
	ID          string     `json:"id"`
	Account     string     `json:"account"`
	Method      string     `json:"method"`
	Key         string     `json:"key,omitempty"`
	Certificate string     `json:"certificate,omitempty"`
	Source      string     `json:"source"`
	Client      string     `json:"client"`
	Since       time.Time  `json:"since"`
	Transfers   []Transfer `json:"transfers"`
}

// Transfer is a file that is moved.
type Transfer struct {
	Direction string    `json:"direction"` // Upload or Download
	Name      string    `json:"name"`
	Bytes     int64     `json:"bytes"`          // so far
	Size      *int64    `json:"size,omitempty"` // of the whole, if it is known
	Since     time.Time `json:"since"`
	Rate      float64   `json:"bytes_per_second"` // on average, from its beginning
}

// The directions of a Transfer.
const (
	Upload   = "upload"
	Download = "download"
)

// Ban is a source that is turned away.
type Ban struct {
	Source string    `json:"source"` // a network
	Until  time.Time `json:"until"`
}

// Quarantined is a file that a gate has refused and kept, or holds until it is judged.
// What clients and scanners have said of it is not escaped.
type Quarantined struct {
	ID      string    `json:"id"`
	State   string    `json:"state"` // StateRefused or StateHeld
	Time    time.Time `json:"time"`  // when it was refused, or came
	Library string    `json:"library"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"` // bytes
	SHA256  string    `json:"sha256"`
	Reason  string    `json:"reason"` // why it was refused, or could not be judged or published yet
	Tries   int       `json:"tries,omitempty"`
}

// The states of a file in quarantine.
const (
	StateRefused = "refused"
	StateHeld    = "held"
)

// Usage is what a library holds, counted now.
type Usage struct {
	Library string `json:"library"`
	Held
	Quota    int64  `json:"quota_bytes"`
	MaxFiles int64  `json:"max_files"`
	Problem  string `json:"problem,omitempty"` // why it could not be counted

	Accounts map[string]Held `json:"accounts,omitempty"` // by who has published each file last; "" is unknown
}

// Check is one thing that the server needs to do its work.
type Check struct {
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"` // why it fails; "" is that it does not
}

// Readiness is all of them.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// failure is the answer to what could not be done.
type failure struct {
	Error string `json:"error"`
}
