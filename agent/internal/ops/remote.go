package ops

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"halledge/agent/internal/config"
	"halledge/firmware-protocols/hallsync"
)

// Devices asks the running agent how its devices are.
func Devices(ctx context.Context, cfg *config.Config) ([]hallsync.DeviceStatus, error) {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return nil, err
	}
	var answer struct{ Devices []hallsync.DeviceStatus }
	err = d.ask(ctx, http.MethodGet, "/api/v1/devices", &answer)
	return answer.Devices, err
}

// TestDevice asks the running agent to let a device show that it works.
func TestDevice(ctx context.Context, cfg *config.Config, name string) error {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return err
	}
	return d.ask(ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(name)+"/test", nil)
}

// ask puts a question to the running agent. into may be nil.
func (d Door) ask(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.HTTP+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.Token)
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("代理没有应答：%w", err)
	}
	defer res.Body.Close()
	body := io.LimitReader(res.Body, 4<<20)
	if res.StatusCode >= http.StatusBadRequest {
		var p struct{ Detail, Advice string }
		if json.NewDecoder(body).Decode(&p) == nil && p.Detail != "" {
			return errors.New(p.Detail + p.Advice)
		}
		return fmt.Errorf("代理应答 %d", res.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(body).Decode(into)
}
