package arch

import (
	"go/types"
	"regexp"
	"strings"
	"testing"
)

// telling are names of fields that hold what no log, page or error may show.
var telling = regexp.MustCompile(`^(?i:(?:new|old)?(?:id_?numbers?|passwords?|pins?|passphrases?|secrets?|tokens?|phones?|mobiles?|telephones?|births?|birthdays?|cookies?))$`)

// plain are the fields of such a name that are texts all the same, each with the reason.
var plain = map[string]string{
	"agent/internal/config.Staff.PIN":               "an argon2id hash",
	"agent/internal/config.StaffEdit.PIN":           "an argon2id hash",
	"cloud/internal/store.User.Password":            "an argon2id hash",
	"firmware-protocols/hallsync.enrolAsk.Secret":   "the form on the wire of a type that cannot be printed",
	"agent/internal/ops.Door.Token":                 "the form in a file, 0600, by which the agent's own commands reach it",
	"agent/internal/relay/alone.settings.Password":  "settings of a program for measuring, which logs nothing",
	"agent/internal/relay/alone.camera.Password":    "settings of a program for measuring, which logs nothing",
	"cloud/internal/media/alone.settings.Password":  "settings of a program for measuring, which logs nothing",
	"agent/internal/web/access.signIn.PIN":          "of a request: compared and forgotten",
	"agent/internal/web/access.signIn.NewPIN":       "of a request: hashed and forgotten",
	"agent/internal/web/api.staffEdit.PIN":          "of a request: hashed and forgotten",
	"cloud/internal/web/api.SignIn.Password":        "of a request: compared and forgotten",
	"cloud/internal/web/api.FactorRequest.Password": "of a request: compared and forgotten",
	"cloud/internal/web/api.NewUser.Password":       "of a request: hashed and forgotten",
	"cloud/internal/web/api.UserPassword.Password":  "of a request: hashed and forgotten",
	"cloud/internal/web/api.Factor.Secret":          "of an answer: shown once, to whom it belongs",
	"cloud/internal/access.Enrolment.Secret":        "of an answer: shown once, to whom it belongs",
	"cloud/internal/access.Attempt.Password":        "of a request: compared and forgotten",
	"cloud/internal/access.Attempt.Cookie":          "of a request: compared and forgotten",
	"cloud/internal/access.Return.Cookie":           "of a request: compared and forgotten",
	"cloud/internal/access.Token.Secret":            "digested at the start",
	"cloud/internal/access/oidc.Options.Secret":     "handed to the client of the platform at the start",
	"cloud/internal/store.SecondFactor.Secret":      "a row of the database: what codes are computed from",
	"cloud.reader.secret":                           "compared with what an RTSP reader says",
	"agent/internal/uplink.Options.Password":        "handed to the MQTT client, with tcp on the loopback alone",
	"agent/internal/relay.feed.password":            "handed to the RTSP client",
}

// A person's data and secrets are of types that cannot be printed. Whoever names a field so and makes it a text says here why.
func TestSecretsAreOfTypesThatCannotBePrinted(t *testing.T) {
	m, used, kept := theModule(t), map[string]bool{}, 0
	for _, p := range m.packages {
		if strings.HasPrefix(p.path(), "test/") {
			continue
		}
		for ident, object := range m.info[p].Defs {
			field, ok := object.(*types.Var)
			if !ok || !field.IsField() || !telling.MatchString(ident.Name) {
				continue
			}
			switch kind := field.Type().Underlying().(type) {
			case *types.Basic:
				if kind.Info()&types.IsString == 0 {
					continue
				}
			case *types.Slice:
				if of, ok := kind.Elem().Underlying().(*types.Basic); !ok || of.Info()&types.IsString == 0 && of.Kind() != types.Byte {
					continue
				}
			default:
				kept++
				continue
			}
			at := m.fset.Position(ident.Pos())
			name := p.path() + "." + holder(m, p, field) + ident.Name
			if plain[name] == "" {
				t.Errorf("%s: %s is a text: make it a device.Secret, or say why not", at, name)
			}
			used[name] = true
		}
	}
	for name := range plain {
		if !used[name] {
			t.Errorf("%s is no text any more: nothing has to be said of it", name)
		}
	}
	if kept < 10 {
		t.Errorf("only %d fields of other types found: does the search still work?", kept)
	}
}

// holder gives the name of the type that a field is in, with a dot behind it; of a type without a name nothing.
func holder(m *module, p *listed, field *types.Var) string {
	for _, object := range m.info[p].Defs {
		named, ok := object.(*types.TypeName)
		if !ok {
			continue
		}
		if s, ok := named.Type().Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				if f == field {
					return named.Name() + "."
				}
			}
		}
	}
	return ""
}
