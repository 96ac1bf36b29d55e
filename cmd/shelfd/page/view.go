package page

import (
	"context"
	"slices"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/vfs"
)

// shownTransfers is how many transfers the page shows: those that began first.
const shownTransfers = 100

// view is what the page shows.
type view struct {
	Now         time.Time       `json:"now"`
	Status      admin.Status    `json:"status"`
	Ready       admin.Readiness `json:"ready"`
	Connections int             `json:"connections"`
	Transfers   []transfer      `json:"transfers"`
	History     series          `json:"history"`
	Events      []event         `json:"events"`
}

// transfer is one, with whose it is. Texts of clients are visible.
type transfer struct {
	Connection string `json:"connection"`
	Account    string `json:"account"`
	admin.Transfer
}

func (p *Page) view(ctx context.Context) view {
	seen := p.server.See()
	status := seen.Status
	if status.Reload != nil {
		// What is wrong may show a line of the configuration.
		status.Reload = &admin.Reload{Time: status.Reload.Time}
	}
	return view{
		Now: seen.At, Status: status, Ready: p.server.Readiness(ctx), Connections: len(seen.Connections),
		Transfers: transfers(seen.Connections), History: p.history.series(), Events: p.events.newest(),
	}
}

func transfers(all []admin.Connection) []transfer {
	list := []transfer{}
	for _, c := range all {
		for _, t := range c.Transfers {
			list = append(list, transfer{c.ID, c.Account, t})
		}
	}
	slices.SortFunc(list, func(a, b transfer) int { return a.Since.Compare(b.Since) })
	list = list[:min(len(list), shownTransfers)]
	for i := range list {
		list[i].Account, list[i].Name = vfs.Escape(list[i].Account), vfs.Escape(list[i].Name)
	}
	return list
}
