package tests

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/pkg/sftp"
)

// stored is what is different for clients of a library in a bucket: a failure need not
// mean that a name is taken, and a rename is three moments. A nil *stored is of a library
// in a folder.
type stored struct {
	lost    atomic.Int32 // renames of which nobody knows what became
	refused atomic.Int32 // requests that failed, and were not done
	unsure  atomic.Int32 // requests of which the server says that it is not known
}

// version is one by its number. Large ones are sent to the store in parts.
func (*stored) version(number uint32, large bool) version {
	v := numbered(number)
	if large {
		v.size = 9<<20 + number*7919%(9<<20)
	}
	return v
}

// failed tells whether an answer is about the store, and not about a name.
func (s *stored) failed(err error) bool {
	status := (*sftp.StatusError)(nil)
	return s != nil && errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure &&
		!strings.Contains(err.Error(), "a file of that name exists")
}

// uncertain tells whether the server has said that nobody knows what was done.
func (s *stored) uncertain(err error) bool {
	for _, words := range []string{"not known whether", "both names now", "was published"} {
		if strings.Contains(err.Error(), words) {
			s.unsure.Add(1)
			return true
		}
	}
	s.refused.Add(1)
	return false
}

// copy asks for a rename in a bucket.
func (l *linearClient) copy(q asked, send func() error) error {
	if l.slot == 0 {
		l.slot = l.id + 1
	}
	if l.slot >= linearRenames {
		return nil // no more can be kept apart
	}
	q.request, q.slot, q.version = reqCopy, l.slot, version{number: l.last.Add(1)}
	called := l.h.now()
	a, counts, err := l.judge(told{}, send())
	if !counts {
		return err // it was not done
	}
	q.client = l.id
	moments := []request{reqTake, reqCopy, reqDrop}
	if a.known && a.outcome != done {
		moments = moments[1:2]
	}
	for _, q.request = range moments {
		l.h.add(called, q, a)
	}
	if !a.known {
		// What becomes of it later must not be taken for that of the next one.
		l.slot = linearClients + 1 + int(l.stored.lost.Add(1))
	}
	return err
}
