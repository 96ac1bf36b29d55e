package tests

import (
	"path/filepath"
	"testing"
)

// benchSize is what a benchmark moves at a time, in bytes: enough for the
// start of the client not to count.
const benchSize = 256 << 20

// BenchmarkStockPut and BenchmarkStockGet tell how fast the stock clients move
// a file to and from shelfd on this machine, start of the client included.
func BenchmarkStockPut(b *testing.B) {
	benchStock(b, func(c stock, s *server, source string) { succeed(b, c.put(s, source, "file")) })
}

// BenchmarkStockGet is the other way.
func BenchmarkStockGet(b *testing.B) {
	benchStock(b, func(c stock, s *server, source string) { succeed(b, c.get(s, "source", source+".back")) })
}

func benchStock(b *testing.B, one func(c stock, s *server, source string)) {
	s := serve(b)
	source := filepath.Join(s.library, "source")
	writeRandom(b, source, benchSize)
	for _, c := range stockClients {
		b.Run(c.program, func(b *testing.B) {
			need(b, c.program)
			b.SetBytes(benchSize)
			for b.Loop() {
				one(c, s, source)
			}
		})
	}
}
