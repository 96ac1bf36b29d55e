package install

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// unit is the server's systemd unit, and extra the file that adds to it.
const (
	unit  = "shelfd.service"
	extra = "/etc/systemd/system/" + unit + ".d/init.conf"
)

// haveSystemd tells whether systemd runs this machine and has the unit.
func haveSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil && exec.Command("systemctl", "cat", unit).Run() == nil
}

// startService starts the server, and has it start with the machine. systemd waits
// until the server takes connections.
func startService(a answers) error {
	if text := extraOf(a); text != "" {
		if err := os.MkdirAll(filepath.Dir(extra), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(extra, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"daemon-reload"}, {"--quiet", "enable", unit}, {"restart", unit}} {
		if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// extraOf is what the unit needs besides for a library elsewhere than in the
// folder of packages, and for a port that takes a privilege.
func extraOf(a answers) string {
	var lines []string
	if !strings.HasPrefix(a.library, librariesFolder+"/") {
		lines = append(lines, "ReadWritePaths="+strconv.Quote(strings.ReplaceAll(a.library, "%", "%%")))
		if strings.HasPrefix(a.library, "/home/") || strings.HasPrefix(a.library, "/root/") {
			lines = append(lines, "ProtectHome=no")
		}
	}
	if _, port, _ := net.SplitHostPort(a.listen); port != "" {
		if n, err := net.LookupPort("tcp", port); err == nil && n < 1024 {
			lines = append(lines, "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "# shelfd init wrote this, for " + systemConfig + "\n[Service]\n" + strings.Join(lines, "\n") + "\n"
}
