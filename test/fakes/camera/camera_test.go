package camera_test

import (
	"os/exec"
	"strings"
	"testing"

	"halledge/test/fakes/camera"
)

// ffprobe is a reader that knows nothing of our libraries.
func TestStart_ffprobeReadsEveryPathOverBothTransports(t *testing.T) {
	cams, err := camera.Start(camera.Options{Paths: []string{"/a", "/b"}, User: "admin", Password: "p w@1"})
	if err != nil {
		t.Fatal(err)
	}
	defer cams.Close()
	t.Run("read", func(t *testing.T) {
		for _, path := range []string{"/a", "/b"} {
			for _, transport := range []string{"tcp", "udp"} {
				t.Run(transport+path, func(t *testing.T) {
					t.Parallel()
					url := strings.Replace(cams.URL(path), "rtsp://", "rtsp://admin:p%20w%401@", 1)
					out, err := exec.Command("ffprobe", "-v", "error", "-analyzeduration", "1000000", "-rtsp_transport", transport,
						"-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", url).CombinedOutput()
					if err != nil || strings.TrimSpace(string(out)) != "h264,640,360" {
						t.Errorf("%q, %v", out, err)
					}
				})
			}
		}
	})
	if n := cams.Counts(); n.Plays != 4 || n.BadLogins != 0 {
		t.Errorf("counts %+v, want 4 plays and no bad login", n)
	}
}

func TestStart_wrongPasswordIsCounted(t *testing.T) {
	cams, err := camera.Start(camera.Options{User: "admin", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer cams.Close()
	url := strings.Replace(cams.URL("/stream"), "rtsp://", "rtsp://admin:wrong@", 1)
	if err := exec.Command("ffprobe", "-v", "error", "-rtsp_transport", "tcp", url).Run(); err == nil {
		t.Error("ffprobe played with a wrong password")
	}
	if n := cams.Counts(); n.BadLogins == 0 || n.Plays != 0 {
		t.Errorf("counts %+v, want a bad login and no play", n)
	}
}
