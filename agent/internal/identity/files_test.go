package identity_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/gmtest"
	"halledge/firmware-protocols/hallsync"
)

const hall hallsync.HallID = "440900000000001"

func options() identity.Options {
	return identity.Options{Hall: hall, Log: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, dir string, o identity.Options) *identity.Identity {
	t.Helper()
	i, err := identity.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func directory(t *testing.T) string { return filepath.Join(t.TempDir(), identity.Directory) }

func refused(t *testing.T, what string, err error, want identity.Code) {
	t.Helper()
	var f *identity.Fault
	if !errors.As(err, &f) || f.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestKeysAreMadeOnceAndStay(t *testing.T) {
	dir := directory(t)
	first := open(t, dir, options())
	again := open(t, dir, options())
	if first.Storage().Public().ID() != again.Storage().Public().ID() || first.Signer().Public().ID() != again.Signer().Public().ID() {
		t.Error("opened again, the keys are others")
	}
	if first.Storage().Public().ID() == first.Signer().Public().ID() {
		t.Error("one key for both")
	}
	if first.Enrolled() || first.Centre() != nil || first.Receipts() != nil || first.Damaged() != nil {
		t.Error("a new box is enrolled, or damaged")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 { // and the lock
		t.Errorf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestWhatOthersCouldReadIsRefused(t *testing.T) {
	dir := directory(t)
	open(t, dir, options())
	for _, name := range []string{"storage.key", "sign.key"} {
		path := filepath.Join(dir, name)
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o700, 0o400} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := identity.Open(dir, options())
			refused(t, name+" "+mode.String(), err, identity.CodeUnsafe)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		link := path + ".real"
		if err := errors.Join(os.Rename(path, link), os.Symlink(link, path)); err != nil {
			t.Fatal(err)
		}
		_, err := identity.Open(dir, options())
		refused(t, name+" as a link", err, identity.CodeUnsafe)
		if err := os.Rename(link, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []os.FileMode{0o755, 0o770, 0o701} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := identity.Open(dir, options())
		refused(t, "directory "+mode.String(), err, identity.CodeUnsafe)
	}
}

func TestWhatBelongsToAnotherAccountIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		// Nobody else can give a file away; what is owned by root is then somebody else's, such as the root of the file system.
		_, err := identity.Open("/", options())
		refused(t, "of root", err, identity.CodeUnsafe)
		return
	}
	dir := directory(t)
	open(t, dir, options())
	for _, path := range []string{filepath.Join(dir, "sign.key"), dir} {
		if err := os.Chown(path, 65534, -1); err != nil {
			t.Fatal(err)
		}
		_, err := identity.Open(dir, options())
		refused(t, "of another account", err, identity.CodeUnsafe)
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	above := t.TempDir()
	if err := os.Chown(above, 65534, -1); err != nil {
		t.Fatal(err)
	}
	_, err := identity.Open(filepath.Join(above, identity.Directory), options())
	refused(t, "a directory that another account could not read", err, identity.CodeUnsafe)
}

func TestDamagedKeyIsPutAside(t *testing.T) {
	dir := directory(t)
	before := open(t, dir, options())
	for _, damage := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", strings.Repeat("x", 1<<20)} {
		path := filepath.Join(dir, "storage.key")
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := identity.OpenReadOnly(dir, options())
		refused(t, "read only", err, identity.CodeDamaged)
		after := open(t, dir, options())
		if len(after.Damaged()) != 1 || after.Storage().Public().ID() == before.Storage().Public().ID() {
			t.Fatalf("%d bytes: %q", len(damage), after.Damaged())
		}
		if kept, err := os.ReadFile(after.Damaged()[0]); err != nil || string(kept) != damage {
			t.Errorf("what was damaged is gone: %v", err)
		}
		if after.Signer().Public().ID() != before.Signer().Public().ID() {
			t.Error("the good key went too")
		}
		if again := open(t, dir, options()); len(again.Damaged()) != 0 || again.Storage().Public().ID() != after.Storage().Public().ID() {
			t.Error("the new key does not stay")
		}
	}
}

// Somebody has mistyped the code of the hall. The certificates stay, and are in force when the code is right again.
func TestCertificatesOfAnotherHallAreLeftAlone(t *testing.T) {
	c := identitytest.NewClock()
	i, dir := identitytest.Box(t, identitytest.NewCentre(t, c), options())
	wrong := options()
	wrong.Now, wrong.Hall = c.Now, "440900000000002"
	if other := open(t, dir, wrong); other.Enrolled() || len(other.Damaged()) > 0 {
		t.Errorf("as another hall: enrolled %v, put aside %q", other.Enrolled(), other.Damaged())
	}
	right := options()
	right.Now = c.Now
	if again := open(t, dir, right); !again.Status().Until.Equal(i.Status().Until) {
		t.Error("the certificates are gone")
	}
}

func TestLookingMakesNothing(t *testing.T) {
	dir := directory(t)
	_, err := identity.OpenReadOnly(dir, options())
	refused(t, "no directory", err, identity.CodeMissing)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = identity.OpenReadOnly(dir, options())
	refused(t, "no keys", err, identity.CodeMissing)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 { // the lock
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestLeftoversOfACutWriteGo(t *testing.T) {
	dir := directory(t)
	open(t, dir, options())
	left := filepath.Join(dir, ".new-123")
	if err := os.WriteFile(left, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir, options())
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestCredentialsComeBeforeFiles(t *testing.T) {
	dir, credentials := directory(t), t.TempDir()
	plain := open(t, dir, options())
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(credentials, "hall-agent.sign.key")
	if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Credentials = credentials
	i := open(t, dir, o)
	if i.Signer().Public().ID() != key.Public().ID() || i.Storage().Public().ID() != plain.Storage().Public().ID() {
		t.Error("the credential was not taken, or taken for both keys")
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	_, err = identity.Open(dir, o)
	refused(t, "credential that everybody reads", err, identity.CodeUnsafe)
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("no key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err = identity.Open(dir, o)
	refused(t, "credential that is no key", err, identity.CodeDamaged)
}

// A command that the service manager gives no keys to, or a service without its drop-in, must not make others: the box would be another one.
func TestAKeyThatIsElsewhereIsNotMadeAgain(t *testing.T) {
	dir, credentials := directory(t), t.TempDir()
	first := open(t, dir, options())
	for _, name := range []string{"sign.key", "storage.key"} {
		file := filepath.Join(dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(credentials, "hall-agent."+name), text, 0o400), os.WriteFile(file, []byte("credential\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for what, open := range map[string]func(string, identity.Options) (*identity.Identity, error){"open": identity.Open, "read only": identity.OpenReadOnly} {
		_, err := open(dir, options())
		refused(t, what, err, identity.CodeCredential)
		o := options()
		o.Credentials = credentials
		i, err := open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if i.Signer().Public().ID() != first.Signer().Public().ID() || i.Storage().Public().ID() != first.Storage().Public().ID() {
			t.Errorf("%s: other keys", what)
		}
	}
}

func TestKeysOfAModule(t *testing.T) {
	dir := directory(t)
	o := options()
	module := gmtest.NewModule(t)
	o.Provider = module
	first := open(t, dir, o)
	if again := open(t, dir, o); again.Signer().Public().ID() != first.Signer().Public().ID() {
		t.Error("the module's key is another one")
	}
	module.Unplug()
	if i, err := identity.Open(dir, o); err == nil {
		t.Errorf("opened without its module: %q", i.Damaged())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("an unplugged module changed files: %d, %v", len(entries), err)
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	dir := directory(t)
	i := open(t, dir, options())
	text, err := os.ReadFile(filepath.Join(dir, "sign.key"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(text), "\n")[1]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, i), secret) {
			t.Errorf("%s prints a key", verb)
		}
	}
}
