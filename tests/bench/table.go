package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// table collects figures by what was measured and of which server.
type table struct{ rows []*row }

type row struct {
	what, unit string
	figures    map[string][]float64 // by the name of the server
}

// add notes one round's figure.
func (t *table) add(what, unit, server string, figure float64) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.what == what && r.unit == unit })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{what, unit, make(map[string][]float64)})
	}
	t.rows[i].figures[server] = append(t.rows[i].figures[server], figure)
}

// median is zero of nothing.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// print writes the medians, and what shelfd's is as a multiple of each other's.
func (t *table) print(w io.Writer, servers []kind) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	columns := []string{}
	for _, k := range servers {
		columns = append(columns, k.name)
	}
	columns = append(columns, floorName)
	fmt.Fprint(tw, "median of rounds\tunit")
	for i, c := range columns {
		fmt.Fprint(tw, "\t", c)
		if i > 0 {
			fmt.Fprint(tw, "\tshelfd/", c)
		}
	}
	fmt.Fprintln(tw)
	for _, r := range t.rows {
		fmt.Fprint(tw, r.what, "\t", r.unit)
		for i, c := range columns {
			r.cell(tw, columns[0], c, i > 0)
		}
		fmt.Fprintln(tw)
	}
}

func (r *row) cell(w io.Writer, ours, theirs string, ratio bool) {
	m := median(r.figures[theirs])
	switch {
	case m == 0 && ratio:
		fmt.Fprint(w, "\t\t")
	case m == 0:
		fmt.Fprint(w, "\t")
	case ratio:
		fmt.Fprintf(w, "\t%.3g\t%.2fx", m, median(r.figures[ours])/m)
	default:
		fmt.Fprintf(w, "\t%.3g", m)
	}
}
