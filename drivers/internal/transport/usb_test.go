package transport

import (
	"errors"
	"io/fs"
	"testing"

	"halledge/drivers/device"
)

func TestOpeningWhatIsNoUSBDevice(t *testing.T) {
	absent := Spec{USB: "0400:c35a", Root: t.TempDir()}
	var de *device.Error
	if _, err := Open(t.Context(), absent); !errors.As(err, &de) || de.Code != device.CodeOffline || !de.Retry || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing plugged in: %v", err)
	}
	if absent.Path() != "usb:0400:c35a" || absent.String() != absent.Path() {
		t.Errorf("it is called %q and %q", absent.Path(), absent)
	}
	for _, s := range []Spec{{USB: "usb:0400:c35a"}, {USB: "0400"}, {USB: "0400:c35a", File: "/dev/usb/lp0"}} {
		if _, err := Open(t.Context(), s); !errors.As(err, &de) || de.Code != device.CodeBadConfig {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
