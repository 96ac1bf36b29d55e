package keys

import (
	"fmt"
	"strings"
	"time"
)

// parseExpiry parses the time of expiry-time=: YYYYMMDD, YYYYMMDDHHMM or
// YYYYMMDDHHMMSS in the server's time zone, or in UTC with a Z after it.
func parseExpiry(text string) (time.Time, error) {
	zone := time.Local
	digits, utc := strings.CutSuffix(text, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) != len(layout) {
			continue
		}
		if at, err := time.ParseInLocation(layout, digits, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time, which is written YYYYMMDD[HHMM[SS]][Z]", text)
}
