package session

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"halledge/drivers/device"
)

func TestAPanicIsAnError(t *testing.T) {
	var log strings.Builder
	s := New(Config{Name: "desk-1.scanner", Log: slog.New(slog.NewTextHandler(&log, nil))})
	err := s.Guard(func() error { panic("991101199003070016") })
	var de *device.Error
	if !errors.As(err, &de) || de.Code != device.CodeBadReply || !de.Retry || !strings.Contains(err.Error(), "string") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "guard_test.go") {
		t.Errorf("the log does not say where:\n%s", &log)
	}
	if all := err.Error() + log.String(); strings.Contains(all, "991101199003070016") {
		t.Errorf("it tells what was thrown: %s", all)
	}
	if err := s.Guard(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
