package vfstest_test

import (
	"testing"

	"shelf/vfs"
	"shelf/vfs/vfstest"
)

func TestMemory(t *testing.T) {
	vfstest.Test(t, func(*testing.T) vfs.Library { return vfstest.NewMemory() })
}

func TestFaultyFailsInNothingOfItsOwn(t *testing.T) {
	vfstest.Test(t, func(*testing.T) vfs.Library { return vfstest.NewFaulty(vfstest.NewMemory()) })
}
