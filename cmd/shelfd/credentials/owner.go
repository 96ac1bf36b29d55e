package credentials

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// becomeOwner has root act as the owner of the state folder: what is written then
// belongs to the user of the server. The state folder that counts when nothing is
// said is not the server's if the server runs as another user, so root has to say.
func becomeOwner(state string, said bool) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if !said {
		return fmt.Errorf("root has to say which server is meant: with --config FILE, or --state DIRECTORY; without these it would be %s", state)
	}
	info, err := os.Stat(state)
	if err != nil {
		return fmt.Errorf("the state folder: %w; the server makes it when it starts", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil
	}
	err = errors.Join(syscall.Setgroups(groupsOf(st.Uid)), syscall.Setgid(int(st.Gid)), syscall.Setuid(int(st.Uid)))
	if err != nil {
		return fmt.Errorf("root can't act as the owner of %s: %w", state, err)
	}
	return nil
}

// groupsOf are the groups of a user; one that has no name has none.
func groupsOf(uid uint32) (groups []int) {
	owner, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil
	}
	ids, _ := owner.GroupIds()
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	return groups
}
