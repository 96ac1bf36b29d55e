package quota

// Keeping is about a file that is replaced: whether it is kept, unless it is told that
// there is no room for that.
type Keeping interface {
	Keeps() bool
	Spare() error
}

// Replacing runs do, which removes or replaces the file of that name, and takes
// that off unless it is kept.
func (q *Quota) Replacing(name string, was Keeping, do func() error) error {
	return q.Publishing(name, Amount{}, Amount{}, was, do)
}

// Publishing runs do, which puts a file of this cost, of which held is charged, in
// the place of the one of that name, which is kept where there is room for both. It
// is refused if it takes more than there is: the file that the upload had the credit of
// may have gone.
func (q *Quota) Publishing(name string, held, cost Amount, was Keeping, do func() error) error {
	if !q.Counts() {
		err := do()
		if err == nil {
			q.published(held)
		}
		return err
	}
	end, err := q.lockAll()
	if err != nil {
		return err
	}
	defer end()
	more := cost.Minus(held)
	if old, err := q.library.Size(name); err == nil {
		if was.Keeps() && q.allow(more) != nil {
			if err := was.Spare(); err != nil {
				return err
			}
		}
		if !was.Keeps() {
			more = more.Minus(CostOf(old))
		}
	}
	if err := q.allow(more); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	q.used, q.pledged = q.used.Plus(more), q.pledged.Minus(held)
	q.tell() // it is done: if this fails, the next charge will
	return nil
}

// published is told that an upload holds nothing any more.
func (q *Quota) published(held Amount) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pledged = q.pledged.Minus(held)
}
