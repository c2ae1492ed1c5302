package video

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"halledge/test/demo"
)

// The hall's own program publishes by the certificate of its box at the centre's ports for halls, by TLS and by TLCP. When the certificate is
// revoked the pictures end at once, and do not come back.
func TestVideo_byTheCertificateOfTheBox(t *testing.T) {
	for way, scheme := range map[string]string{"tls": "rtsps://", "tlcp": "rtsp+tlcp://"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			d := demo.Start(t, "DEMO_TRANSPORT="+way)
			raw, err := os.ReadFile(d.Agent.Config)
			if err != nil || !strings.Contains(string(raw), "node: "+scheme) {
				t.Fatalf("the hall publishes another way, %v:\n%s", err, raw)
			}
			live := func(want int) {
				t.Helper()
				demo.Until(t, demo.Patience, fmt.Sprintf("%d cameras", want), func() error {
					var all struct{ Items []struct{ Code string } }
					d.GetCloud(t, "/api/v1/cameras?live=true").Into(t, &all)
					if len(all.Items) != want {
						return fmt.Errorf("%d", len(all.Items))
					}
					return nil
				})
			}
			live(len(d.Cameras))
			for _, c := range d.Cameras {
				out, err := exec.Command("ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", c.Relayed).Output()
				if err != nil || strings.TrimSpace(string(out)) != "h264,640,360" {
					t.Errorf("%s: %q, %v", c.Code, out, err)
				}
			}
			if said, err := d.Run("hall-cloud", "revoke", d.Agent.Hall, "--reason", "stolen", "--config", d.Cloud.Config); err != nil {
				t.Fatal(err, said)
			}
			live(0)
			var failed *exec.ExitError
			if err := exec.Command("ffprobe", "-v", "quiet", "-rtsp_transport", "tcp", d.Cameras[0].Relayed).Run(); !errors.As(err, &failed) {
				t.Errorf("a revoked box is seen: %v", err)
			}
		})
	}
}
