package command

import "io"

// rclone sends shellQuestion to find out whether it talks to a POSIX shell, cmd
// or PowerShell. We give the answer of a POSIX shell. rclone then tries md5sum
// and sha1sum, and compares files by digest if they work.
const (
	shellQuestion = "echo ${ShellId}%ComSpec%"
	shellAnswer   = "%ComSpec%\n"
)

// answerShellQuestion returns the exit status of a shell.
func answerShellQuestion(stdout io.Writer) (status uint32) {
	io.WriteString(stdout, shellAnswer)
	return exitOK
}
