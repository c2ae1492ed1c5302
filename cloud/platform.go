package cloud

import (
	"fmt"

	"halledge/cloud/internal/access"
	"halledge/cloud/internal/access/oidc"
	"halledge/cloud/internal/config"
)

// openPlatform makes what people sign in with through a unified identity platform; nil if there is none. The platform itself is not
// asked yet.
func openPlatform(o config.OIDC) (*access.OIDC, error) {
	if o.Issuer == "" {
		return nil, nil
	}
	roots, err := issuers(o.CA)
	if err != nil {
		return nil, fmt.Errorf("identity platform: ca: %w", err)
	}
	var rules []access.Rule
	for _, r := range o.Rules {
		roles, scope := r.Rights()
		rules = append(rules, access.Rule{Claim: r.Claim, Value: r.Value, Roles: roles, Scope: scope})
	}
	return &access.OIDC{
		Platform: oidc.New(oidc.Options{
			Issuer: o.Issuer, Client: o.Client, Secret: o.Secret.Reveal(), Redirect: o.Redirect, Scopes: o.Scopes, Roots: roots,
		}),
		Accounts: o.Accounts, Name: o.NameClaim, FullName: o.FullNameClaim, Rules: rules, AdminAMR: o.Admins.AMR, AdminACR: o.Admins.ACR,
	}, nil
}
