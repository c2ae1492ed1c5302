package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/rights"
)

// redirectPath is the console's page that browsers come back to from the identity platform.
const redirectPath = "/sign-in/oidc"

func (c *checker) signIn(v *SignIn) {
	switch factors := []string{FactorAdmins, FactorOff}; {
	case !slices.Contains(factors, v.SecondFactor):
		c.at("$.sign_in.second_factor", NotAllowed, "value", v.SecondFactor, "allowed", strings.Join(factors, ", "))
	case v.SecondFactor == FactorOff:
		c.doc.Warn("$.sign_in.second_factor", FactorIsOff, nil)
	}
	if v.OIDC.Issuer != "" {
		c.oidc(&v.OIDC)
		if v.SecondFactor == FactorAdmins && len(v.OIDC.Admins.AMR) == 0 && len(v.OIDC.Admins.ACR) == 0 {
			c.doc.Warn("$.sign_in.oidc", OIDCAdmins, nil)
		}
	}
}

func (c *checker) oidc(o *OIDC) {
	const at = "$.sign_in.oidc"
	if _, ok := webAddress(o.Issuer); !ok {
		c.at(at+".issuer", OIDCURL, "value", o.Issuer)
	}
	if u, ok := webAddress(o.Redirect); !ok || u.Path != redirectPath || u.Fragment != "" {
		c.at(at+".redirect", OIDCRedirect, "value", o.Redirect)
	}
	c.authority(at+".ca", &o.CA)
	c.doc.ReadSecret(at+".secret", &o.Secret, c.dir, 1)
	for key, missing := range map[string]bool{
		"client": o.Client == "", "secret": o.Secret.Ref == "", "name_claim": o.NameClaim == "", "full_name_claim": o.FullNameClaim == "",
	} {
		if missing {
			c.at(at+"."+key, Missing, "key", key)
		}
	}
	kinds := []string{AccountsInvited, AccountsNamed, AccountsClaims}
	if !slices.Contains(kinds, o.Accounts) {
		c.at(at+".accounts", NotAllowed, "value", o.Accounts, "allowed", strings.Join(kinds, ", "))
	}
	if (o.Accounts == AccountsClaims) != (len(o.Rules) > 0) {
		c.at(at+".accounts", OIDCRules)
	}
	for i, r := range o.Rules {
		path := fmt.Sprintf("%s.rules[%d]", at, i)
		for key, missing := range map[string]bool{"claim": r.Claim == "", "value": r.Value == "", "roles": len(r.Roles) == 0, "scope": len(r.Scope) == 0} {
			if missing {
				c.at(path+"."+key, Missing, "key", key)
			}
		}
		c.rights(path, "", r.Roles, r.Scope, rights.All())
	}
}

// authority makes the path of a file with issuers of certificates absolute; empty stays empty.
func (c *checker) authority(path string, file *string) {
	if *file == "" {
		return
	}
	*file = strictyaml.Absolute(c.dir, *file)
	if _, err := os.Stat(*file); err != nil {
		c.at(path, Unreadable, "reason", err.Error())
	}
}

// webAddress reads an address that is https, or http on this machine.
func webAddress(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Host == "" || u.RawQuery != "" {
		return nil, false
	}
	return u, u.Scheme == "https" || u.Scheme == "http" && loopback(net.JoinHostPort(u.Hostname(), "0"))
}
