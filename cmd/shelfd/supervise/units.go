package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// instances are the names of units that follow one another. There are more than two,
// since the transfers of an old one may take longer than the time to the next upgrade.
var instances = [...]string{"blue", "green", "yellow", "red", "white", "black"}

const (
	unitPrefix = "shelfd@"
	unitSuffix = ".service"
)

// unit is a server that is a unit of systemd.
type unit struct {
	name    string
	process int
}

func (u unit) pid() int { return u.process }

func (u unit) end() error {
	_, err := systemctl(context.Background(), "stop", "--no-block", u.name)
	return err
}

func (u unit) gone() <-chan struct{} { return nil }

// errNoUnits is that no server runs as a unit.
var errNoUnits = errors.New("no unit shelfd@ runs")

// upgradeUnits starts a new instance of the units, and ends the others when that one is
// healthy. Those that are ending already go on with that.
func upgradeUnits(ctx context.Context, socket string) (name string, err error) {
	active, taken, err := unitsNow(ctx)
	if err != nil {
		return "", err
	}
	free := slices.IndexFunc(instances[:], func(i string) bool { return !slices.Contains(taken, unitPrefix+i+unitSuffix) })
	if free < 0 {
		return "", fmt.Errorf("all of %s still end their transfers; wait for one, or stop it with systemctl kill", strings.Join(taken, ", "))
	}
	next := unit{name: unitPrefix + instances[free] + unitSuffix}
	_, err = replace(ctx, socket, func(ctx context.Context) (running, error) {
		_, err := systemctl(ctx, "start", next.name)
		if err == nil {
			next.process, err = mainPID(ctx, next.name)
		}
		if err != nil {
			stopping := next.end() // else it is tried again and again
			return nil, errors.Join(fmt.Errorf("has not started: %w; journalctl -u %s says why", err, next.name), stopping)
		}
		return next, nil
	})
	if err != nil {
		return "", err
	}
	var ending error
	for _, old := range active {
		ending = errors.Join(ending, unit{name: old}.end())
	}
	_, enabling := systemctl(ctx, "enable", next.name)
	_, disabling := systemctl(ctx, append([]string{"disable"}, active...)...)
	if err := errors.Join(enabling, disabling); err != nil {
		ending = errors.Join(ending, fmt.Errorf("which unit starts with the machine could not be changed: %w", err))
	}
	if ending != nil {
		return next.name, fmt.Errorf("%s serves, but not all is done: %w", next.name, ending)
	}
	return next.name, nil
}

// unitsNow lists the units that serve, and all that are not free for a new server.
func unitsNow(ctx context.Context) (active, taken []string, err error) {
	text, err := systemctl(ctx, "list-units", "--all", "--plain", "--no-legend", unitPrefix+"*"+unitSuffix)
	if err != nil {
		return nil, nil, errors.Join(errNoUnits, err)
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line) // unit, load, active, sub
		if len(f) < 3 {
			continue
		}
		switch f[2] {
		case "active":
			active, taken = append(active, f[0]), append(taken, f[0])
		case "activating", "deactivating", "reloading":
			taken = append(taken, f[0])
		}
	}
	if len(active) == 0 {
		return nil, nil, errNoUnits
	}
	return active, taken, nil
}

func mainPID(ctx context.Context, name string) (int, error) {
	text, err := systemctl(ctx, "show", "-P", "MainPID", name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// systemctl runs it; the error has what it says.
func systemctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "systemctl", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return string(out), nil
}
