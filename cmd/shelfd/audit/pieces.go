package audit

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
)

// searched is what is remembered of a file: where its pieces have lines that are
// looked for.
type searched struct {
	file   os.FileInfo
	pieces map[int]*piece
}

// placeBits is how many bits tell a place in a piece.
const placeBits = 24

// pieceSize is how much is read in one turn, in bytes.
const pieceSize = 1 << placeBits

func (s *searched) piece(n int) *piece {
	if s.pieces[n] == nil {
		s.pieces[n] = new(piece)
		if n > 0 {
			s.pieces[n].to = -1
		}
	}
	return s.pieces[n]
}

// end is how much of the file was there when it was last read, in bytes.
func (s *searched) end() (size int64) {
	for n, at := range s.pieces {
		size = max(size, int64(n)*pieceSize+at.to)
	}
	return size
}

// piece is where a piece of a file has lines. The lower bits of an entry are the place
// of a line in the piece, in bytes, and the others those of what it is found by.
type piece struct {
	entries []uint64 // in the order of the lines; sorted once the piece is whole
	to      int64    // the place of the first line that was not read; -1 is in the piece before
}

func (at *piece) whole() bool { return at.to >= pieceSize }

// read reads the lines that begin in the piece and were not read; start is where that
// begins in the file. entries tells what a line is found by.
func (at *piece) read(f *os.File, start int64, entries func(line []byte) []uint64) error {
	if at.whole() {
		return nil
	}
	from := start + at.to
	in := bufio.NewReaderSize(io.NewSectionReader(f, from, pieceSize+2*maxLine), 2*maxLine)
	for !at.whole() {
		line, err := in.ReadSlice('\n')
		switch {
		case err == io.EOF: // what follows is not written yet
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
		if err == nil && at.to >= 0 {
			for _, entry := range entries(line) {
				at.entries = append(at.entries, entry&^(pieceSize-1)|uint64(at.to))
			}
		}
		at.to += int64(len(line))
	}
	slices.Sort(at.entries)
	return nil
}

// places are those of the lines that are found by this, in their order.
func (at *piece) places(by uint64) (all []int64) {
	by &^= pieceSize - 1
	from := 0
	if at.whole() {
		from, _ = slices.BinarySearch(at.entries, by)
	}
	for _, entry := range at.entries[from:] {
		switch is := entry &^ (pieceSize - 1); {
		case is == by:
			all = append(all, int64(entry&(pieceSize-1)))
		case at.whole():
			return all
		}
	}
	return all
}
