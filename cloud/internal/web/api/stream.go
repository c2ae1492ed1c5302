package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"halledge/agent/kit/sse"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/halls"
)

// maxStreams bounds the readers at once.
const maxStreams = 256

// getStream sends the changes of the halls of a reader for as long as he stays and is signed in.
func (a *API) getStream(c *call) error {
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		return a.problem(http.StatusServiceUnavailable, codeTooManyStreams)
	}
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	defer context.AfterFunc(a.Closing, cancel)()
	ctx, release := a.Desk.Hold(ctx, c.who)
	defer release()
	follower := a.board(c).Follow()
	defer follower.Close()
	stream, err := sse.Start(c.w, c.r.WithContext(ctx), sse.Options{})
	if err != nil {
		return err
	}
	ready, err := event("ready", Ready{At: time.Now().In(a.Zone)})
	if err != nil {
		return err
	}
	if err := stream.Send(ready); err != nil {
		return nil //nolint:nilerr // the reader has gone
	}
	// The answer has begun: an error from here on only ends it.
	err = stream.Follow(follower.Signal(), func() ([]sse.Event, error) { return a.changes(follower.Take()) })
	var refusal *access.Refusal
	if errors.As(context.Cause(ctx), &refusal) {
		err = a.farewell(stream, refusal)
	}
	if err != nil {
		a.Log.Debug("stream ended", "error", err)
	}
	return nil
}

// farewell tells a reader why it is no longer signed in.
func (a *API) farewell(stream *sse.Stream, why *access.Refusal) error {
	e, err := event("ended", Ended{Code: string(why.Code), Detail: a.Catalog.Say(string(why.Code), nil)})
	if err != nil {
		return err
	}
	return stream.Send(e)
}

func (a *API) changes(list []halls.Change) ([]sse.Event, error) {
	events := make([]sse.Event, 0, len(list))
	for _, ch := range list {
		e, err := event("change", Change{Hall: a.hall(ch.Status), Parts: parts(ch.Parts)})
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func event(name string, v any) (sse.Event, error) {
	data, err := json.Marshal(v)
	return sse.Event{Name: name, Data: data}, err
}

func parts(p halls.Parts) []string {
	names := []string{}
	for _, part := range []struct {
		bit  halls.Parts
		name string
	}{{halls.Presence, PartStatus}, {halls.Tickets, PartQueues}, {halls.Windows, PartWindows}, {halls.Cameras, PartCameras}} {
		if p&part.bit != 0 {
			names = append(names, part.name)
		}
	}
	return names
}
