package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// API answers the requests of the socket:
//
//	GET  /v1/status
//	GET  /v1/connections
//	GET  /v1/bans
//	GET  /v1/usage
//	GET  /v1/ready                         status 503 if it is not
//	POST /v1/kick    {"who", "reason"}
//	POST /v1/unban   {"source"}
//	GET  /v1/quarantine
//	POST /v1/quarantine/release  {"id", "replace"}
//	POST /v1/quarantine/drop     {"id"}
//	POST /v1/drain
//	POST /v1/reload                        status 422 if it did not work
//	GET  /metrics
//
// What goes wrong is answered as {"error": "why"}. Fields may be added to v1; none
// is taken away or changes its meaning.
func API(s *Cached, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	get(mux, "status", func(*http.Request) (any, error) { return s.Status(), nil })
	get(mux, "connections", func(*http.Request) (any, error) { return listed(s.Connections()), nil })
	get(mux, "bans", func(*http.Request) (any, error) { return listed(s.Bans()), nil })
	get(mux, "usage", func(r *http.Request) (any, error) {
		all, err := s.Usage(r.Context())
		return listed(all), err
	})
	mux.HandleFunc("GET /v1/ready", func(w http.ResponseWriter, r *http.Request) {
		ready := s.Readiness(r.Context())
		answer(w, ready.status(), ready)
	})
	post(mux, "kick", func(by Operator, q struct{ Who, Reason string }) (any, error) {
		ended, err := s.Kick(by, q.Who, q.Reason)
		return listed(ended), err
	})
	post(mux, "unban", func(by Operator, q struct{ Source string }) (any, error) {
		gone, err := s.Unban(by, q.Source)
		return listed(gone), err
	})
	get(mux, "quarantine", func(*http.Request) (any, error) {
		all, err := s.Quarantine()
		return listed(all), err
	})
	post(mux, "quarantine/release", func(by Operator, q struct {
		ID      string
		Replace bool
	}) (any, error) {
		return s.Release(context.Background(), by, q.ID, q.Replace)
	})
	post(mux, "quarantine/drop", func(by Operator, q struct{ ID string }) (any, error) {
		return s.Discard(context.Background(), by, q.ID)
	})
	post(mux, "drain", func(by Operator, _ struct{}) (any, error) {
		s.Drain(by)
		return s.Server.Status(), nil
	})
	post(mux, "reload", func(by Operator, _ struct{}) (any, error) {
		err := s.Reload(by)
		return s.Server.Status().Reload, err
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}

// listed has an empty list be one in JSON, too.
func listed[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func get(mux *http.ServeMux, name string, ask func(*http.Request) (any, error)) {
	mux.HandleFunc("GET /v1/"+name, func(w http.ResponseWriter, r *http.Request) {
		a, err := ask(r)
		answerOr(w, a, err)
	})
}

// post has what is asked for, an object of JSON, in the body. Browsers can't send
// that content type across origins without asking first.
func post[T any](mux *http.ServeMux, name string, do func(Operator, T) (any, error)) {
	mux.HandleFunc("POST /v1/"+name, func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
			answer(w, http.StatusUnsupportedMediaType, failure{"the Content-Type must be application/json"})
			return
		}
		var q T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); err != nil && err != io.EOF {
			answer(w, http.StatusBadRequest, failure{fmt.Sprintf("the request is no JSON: %v", err)})
			return
		}
		a, err := do(operatorOf(r.Context()), q)
		answerOr(w, a, err)
	})
}

// maxBody is the longest request, in bytes.
const maxBody = 16 << 10

func answerOr(w http.ResponseWriter, a any, err error) {
	if err != nil {
		answer(w, http.StatusUnprocessableEntity, failure{err.Error()})
		return
	}
	answer(w, http.StatusOK, a)
}

func answer(w http.ResponseWriter, status int, a any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(a)
}
