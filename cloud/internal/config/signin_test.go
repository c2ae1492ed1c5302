package config_test

import (
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/rights"
)

// platform writes a configuration with an identity platform; a change replaces the line of its key, or adds one.
func platform(changes ...string) string {
	lines := []string{"issuer: https://id.example.cn", "client: hall", "secret: file:secrets/report.token", "redirect: https://hall.example.cn/sign-in/oidc", "admins: {amr: [otp]}"}
	for _, change := range changes {
		key, _, _ := strings.Cut(change, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+":") })
		lines = append(lines, change)
	}
	return "schema: 1\nsign_in:\n  oidc:\n    " + strings.Join(lines, "\n    ") + "\n"
}

func TestIdentityPlatform(t *testing.T) {
	dir, _ := sampleDir(t)
	c, problems := load(t, dir, platform())
	o := c.SignIn.OIDC
	if len(problems) != 0 || o.Secret.Reveal() != "0123456789abcdef" || o.Accounts != config.AccountsInvited || o.NameClaim != "preferred_username" || o.FullNameClaim != "name" || !slices.Equal(o.Scopes, []string{"profile"}) {
		t.Errorf("%+v, %v", o, problems)
	}
	c, problems = load(t, dir, platform("accounts: claims", "rules: [{claim: groups, value: m, roles: [manager], scope: [4409]}]"))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	if roles, scope := c.SignIn.OIDC.Rules[0].Rights(); !slices.Equal(roles, rights.Roles{rights.Manager}) || scope.String() != "4409" {
		t.Errorf("%v in %v", roles, scope)
	}
}

func TestWrongIdentityPlatforms(t *testing.T) {
	dir, _ := sampleDir(t)
	rules := func(rule string) string { return platform("accounts: claims", "rules: [{"+rule+"}]") }
	for name, c := range map[string]struct {
		text string
		want strictyaml.Code
	}{
		"over http":      {platform("issuer: http://id.example.cn"), config.OIDCURL},
		"another page":   {platform("redirect: https://hall.example.cn/halls"), config.OIDCRedirect},
		"return by http": {platform("redirect: http://hall.example.cn/sign-in/oidc"), config.OIDCRedirect},
		"no client":      {platform("client: ''"), config.Missing},
		"issuers":        {platform("ca: none.pem"), config.Unreadable},
		"accounts":       {platform("accounts: all"), config.NotAllowed},
		"no rules":       {platform("accounts: claims"), config.OIDCRules},
		"idle rules":     {platform("rules: [{claim: a, value: b, roles: [viewer], scope: [all]}]"), config.OIDCRules},
		"no halls":       {rules("claim: a, value: b, roles: [viewer]"), config.Missing},
		"no value":       {rules("claim: a, roles: [viewer], scope: [all]"), config.Missing},
		"role":           {rules("claim: a, value: b, roles: [root], scope: [all]"), config.NotAllowed},
		"scope":          {rules("claim: a, value: b, roles: [viewer], scope: [44x]"), config.ScopePrefix},
		"administrators": {platform("admins: {}"), config.OIDCAdmins},
	} {
		if _, problems := load(t, dir, c.text); len(problems) != 1 || problems[0].Code != c.want || (problems.Err() == nil) != (c.want == config.OIDCAdmins) {
			t.Errorf("%s: %v, want %s", name, problems, c.want)
		}
	}
}
