package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"shelf/cmd/shelfd/deliver/webhook"
)

// program runs a command for each event. There is no shell: its arguments are what the
// configuration says and nothing else, whatever a file is called.
type program struct {
	receiver string
	command  []string
	timeout  time.Duration
}

// maxSaid is how much of what a command says is kept, in bytes.
const maxSaid = 4 << 10

// run runs it once. Status 0 is that the event was dealt with.
func (p program) run(ctx context.Context, e *event) webhook.Answer {
	within, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	cmd := exec.CommandContext(within, p.command[0], p.command[1:]...)
	said := &ending{most: maxSaid}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(e.message(), '\n')), said, said
	cmd.Env = p.environment(e)
	// With all that it has started, and not waiting for what keeps its output open.
	cmd.SysProcAttr = bound()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return webhook.Answer{}
	case within.Err() != nil && ctx.Err() == nil:
		err = fmt.Errorf("the command did not end within %s", p.timeout)
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		err = fmt.Errorf("the command ended with status %d", exit.ExitCode())
	}
	if text := said.lastLine(); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return webhook.Answer{Err: err}
}

// environment is that of the command: a little of this process's, and what the event
// says, as it stands in the audit log. No variable can be set by who names a file.
func (p program) environment(e *event) (env []string) {
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	set := func(name, value string) {
		if value != "" {
			env = append(env, "SHELF_"+name+"="+value)
		}
	}
	set("RECEIVER", p.receiver)
	set("ID", e.ID)
	set("SEQ", strconv.FormatUint(e.Seq, 10))
	set("HOST", e.Host)
	set("OP", e.Op)
	set("RESULT", e.Result)
	set("ACCOUNT", e.Account)
	set("LIBRARY", e.Library)
	set("NAME", e.Name)
	set("TARGET", e.Target)
	if e.Size != nil {
		set("SIZE", strconv.FormatInt(*e.Size, 10))
	}
	set("SHA256", e.SHA256)
	return env
}

// ending keeps the end of what is written to it.
type ending struct {
	most int
	text []byte
}

func (b *ending) Write(p []byte) (int, error) {
	b.text = append(b.text, p[max(0, len(p)-b.most):]...)
	b.text = b.text[max(0, len(b.text)-b.most):]
	return len(p), nil
}

// lastLine is the last line that says something.
func (b *ending) lastLine() string {
	lines := strings.Split(strings.TrimSpace(string(b.text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
