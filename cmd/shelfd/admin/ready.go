package admin

import (
	"fmt"
	"net/http"
	"strings"
)

func readinessOf(checks []Check) Readiness {
	r := Readiness{Ready: true, Checks: listed(checks)}
	for _, c := range checks {
		r.Ready = r.Ready && c.Reason == ""
	}
	return r
}

func (r Readiness) status() int {
	if r.Ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// String has a line for each check, as Kubernetes' own servers answer.
func (r Readiness) String() string {
	var b strings.Builder
	for _, c := range r.Checks {
		if c.Reason == "" {
			fmt.Fprintf(&b, "[+]%s ok\n", c.Name)
		} else {
			fmt.Fprintf(&b, "[-]%s failed: %s\n", c.Name, c.Reason)
		}
	}
	if r.Ready {
		b.WriteString("ready\n")
	} else {
		b.WriteString("not ready\n")
	}
	return b.String()
}
