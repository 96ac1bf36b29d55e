package transfer

// fileEvent is what scripts are told about a file.
type fileEvent struct {
	Event   string  `json:"event"` // started, done, same or failed
	Command string  `json:"command"`
	Name    string  `json:"name"`
	Size    int64   `json:"size,omitempty"`
	Resumed int64   `json:"resumed_at,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	SHA256  string  `json:"sha256,omitempty"`
	Receipt string  `json:"receipt,omitempty"` // file
	Error   string  `json:"error,omitempty"`
}

// summaryEvent is what scripts are told after many files.
type summaryEvent struct {
	Event   string  `json:"event"` // summary
	Command string  `json:"command"`
	Done    int     `json:"done"`
	Same    int     `json:"same"`
	Failed  int     `json:"failed"`
	Moved   int64   `json:"moved"` // bytes
	Seconds float64 `json:"seconds"`
}

// nameEvent is what scripts are told about a name, in sync and watch.
type nameEvent struct {
	Event string `json:"event"` // would put, would get, or watching
	Name  string `json:"name"`
}
