package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// maxFullName is in characters.
const maxFullName = 40

// userRoutes are for those who say who may do what.
func (a *API) userRoutes() []route {
	refusals := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnprocessableEntity,
	}
	return []route{
		{method: http.MethodGet, path: "/api/v1/users", name: "listUsers", summary: "用户列表，按用户名排序；只列管辖范围内的", may: rights.Users,
			answer: Page[User]{}, refusals: []int{http.StatusBadRequest}, query: paged(param{name: "q", about: "用户名或姓名的一部分"}), handle: a.listUsers},
		{method: http.MethodPost, path: "/api/v1/users", name: "addUser", summary: "添加用户；他第一次登录要改密码", may: rights.Users,
			body: NewUser{}, answer: User{}, status: http.StatusCreated, refusals: refusals, handle: a.postUser},
		{method: http.MethodPut, path: "/api/v1/users/{name}", name: "changeUser", summary: "改姓名、角色、范围，停用或启用；没写的不变", may: rights.Users,
			body: UserChange{}, answer: User{}, refusals: refusals, handle: a.putUser},
		{method: http.MethodPut, path: "/api/v1/users/{name}/password", name: "setPassword", summary: "重设密码；他下次登录要改", may: rights.Users,
			body: UserPassword{}, status: http.StatusNoContent, refusals: refusals, handle: a.putUserPassword},
		{method: http.MethodDelete, path: "/api/v1/users/{name}/second-factor", name: "resetSecondFactor", summary: "清除动态口令，例如手机丢了", may: rights.Users,
			status: http.StatusNoContent, refusals: refusals, handle: a.deleteUserFactor},
	}
}

func (a *API) listUsers(c *call) error {
	q := a.query(c)
	part := strings.ToLower(q.text("q", nil))
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	all, err := a.Desk.Users(c.r.Context(), c.who.Scope)
	if err != nil {
		return err
	}
	var found []User
	for _, u := range all {
		if strings.Contains(strings.ToLower(u.Name+"\n"+u.FullName), part) {
			found = append(found, a.user(u))
		}
	}
	return a.write(c, http.StatusOK, cut(found, w))
}

func (a *API) user(u store.User) User {
	return User{
		Name: u.Name, FullName: u.FullName, Roles: u.Roles.Names(), Scope: append([]string{}, u.Scope...), Disabled: u.Disabled, Origin: u.Origin,
		MustChange: u.MustChange, SecondFactor: u.SecondFactor, Certificate: u.Certificate, CreatedAt: a.local(u.Created),
	}
}

func (a *API) postUser(c *call) error {
	var in NewUser
	if err := a.read(c, &in); err != nil {
		return err
	}
	if !config.ValidUserName(in.Name) {
		return a.problem(http.StatusUnprocessableEntity, problem.Code(config.UserName), "value", in.Name)
	}
	change, err := a.change(UserChange{FullName: &in.FullName, Roles: &in.Roles, Scope: &in.Scope})
	if err != nil {
		return err
	}
	hash, err := a.Desk.Hash(c.r.Context(), in.Name, in.Password)
	if err != nil {
		return err
	}
	u := store.User{Name: in.Name, FullName: in.FullName, Password: hash, Roles: *change.Roles, Scope: *change.Scope}
	return a.edit(c, http.StatusCreated, in.Name, func(by access.Acting, tx *store.Tx) error { return by.Add(tx, u) })
}

func (a *API) putUser(c *call) error {
	var in UserChange
	if err := a.read(c, &in); err != nil {
		return err
	}
	change, err := a.change(in)
	if err != nil {
		return err
	}
	name := c.r.PathValue("name")
	return a.edit(c, http.StatusOK, name, func(by access.Acting, tx *store.Tx) error { return by.Change(tx, name, change) })
}

// change checks what somebody writes of a user.
func (a *API) change(in UserChange) (access.Change, error) {
	change := access.Change{FullName: in.FullName, Disabled: in.Disabled}
	refuse := func(code problem.Code, args ...string) error {
		return a.problem(http.StatusUnprocessableEntity, code, args...)
	}
	if in.FullName != nil && utf8.RuneCountInString(*in.FullName) > maxFullName {
		return change, refuse(problem.Code(config.TooLong), "limit", strconv.Itoa(maxFullName))
	}
	if in.Roles != nil {
		roles, err := rights.RolesOf(*in.Roles)
		var unknown *rights.UnknownError
		if errors.As(err, &unknown) {
			return change, refuse(problem.Code(config.NotAllowed), "value", unknown.Name, "allowed", rights.Roles(rights.All()).String())
		}
		change.Roles = &roles
	}
	if in.Scope != nil {
		scope, err := rights.ScopeOf(*in.Scope)
		var bad *rights.PrefixError
		if errors.As(err, &bad) {
			return change, refuse(problem.Code(config.ScopePrefix), "value", bad.Text)
		}
		change.Scope = &scope
	}
	return change, nil
}

// edit changes a user on behalf of who asks, and answers with the user.
func (a *API) edit(c *call, status int, name string, do func(access.Acting, *store.Tx) error) error {
	var u store.User
	err := a.act(c, func(by access.Acting, tx *store.Tx) (err error) {
		if err = do(by, tx); err == nil {
			u, _, err = tx.User(name)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.write(c, status, a.user(u))
}

func (a *API) act(c *call, do func(access.Acting, *store.Tx) error) error {
	by := a.Desk.As(c.who, remote(c.r))
	return a.Desk.Write(c.r.Context(), func(tx *store.Tx) error { return do(by, tx) })
}

func (a *API) putUserPassword(c *call) error {
	var in UserPassword
	if err := a.read(c, &in); err != nil {
		return err
	}
	name := c.r.PathValue("name")
	hash, err := a.Desk.Hash(c.r.Context(), name, in.Password)
	if err != nil {
		return err
	}
	if err := a.act(c, func(by access.Acting, tx *store.Tx) error { return by.SetPassword(tx, name, hash) }); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) deleteUserFactor(c *call) error {
	name := c.r.PathValue("name")
	if err := a.act(c, func(by access.Acting, tx *store.Tx) error { return by.ResetFactor(tx, name) }); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
