package device_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"halledge/drivers/device"
)

// holder has a secret where fmt looks without asking the type.
type holder struct{ hidden device.Secret }

func TestSecretCannotBePrinted(t *testing.T) {
	const text = "991101199003070016"
	s := device.NewSecret(text)
	card := device.IDCard{Name: s, Number: s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, s, &s, card, holder{hidden: s})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("card", "secret", s, "card", card, "holder", holder{hidden: s})
	raw, err := json.Marshal(map[string]any{"secret": s, "card": card})
	if err != nil {
		t.Fatal(err)
	}
	if all := out.String() + string(raw); strings.Contains(all, text) || strings.Contains(all, fmt.Sprintf("%x", text)) {
		t.Errorf("the secret was printed:\n%s", all)
	}
	if s.Reveal() != text || s.Empty() {
		t.Error("the secret is lost")
	}
	var body struct{ Number device.Secret }
	if err := json.Unmarshal([]byte(`{"number":"`+text+`"}`), &body); err != nil || body.Number.Reveal() != text {
		t.Errorf("a request gives %q, %v", body.Number.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`{"number":991101}`), &body); err == nil {
		t.Error("a number is taken for a text")
	}
	if zero := (device.Secret{}); zero.Reveal() != "" || !zero.Empty() || !device.NewSecret("").Empty() {
		t.Error("an empty secret is not empty")
	}
}
