package devices

import (
	"context"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"halledge/agent/kit/health"
	"halledge/drivers/attached"
	"halledge/drivers/device"
)

// Root is one cause of what is wrong with several devices, or behind them: a hub that is gone, a group that the service is not in, a
// line on which nobody answers, a port that is configured twice.
type Root struct {
	Code    health.Code
	Subject string
	Devices []string
}

// RootCodes are the codes of roots.
func RootCodes() []health.Code {
	return []health.Code{health.HubGone, health.GroupMissing, health.BusDown, health.PortTwice}
}

// plugged is what the machine had at the last look.
type plugged struct {
	nodes []attached.Node
	hubs  []string
}

// follow looks at what is plugged in whenever that may have changed, until ctx ends.
func (s *Set) follow(ctx context.Context) {
	hints := attached.Watch(ctx, s.root)
	for listens := true; listens; _, listens = <-hints {
		s.scan()
	}
}

func (s *Set) scan() {
	nodes, err := attached.Scan(s.root)
	hubs, herr := attached.Hubs(s.root)
	if err != nil || herr != nil {
		return // the next look may see more
	}
	for _, sl := range s.slots {
		sl.seen(nodes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugged = plugged{nodes, hubs}
}

// seen remembers the socket in which the slot's device is, for when it is there no longer.
func (s *slot) seen(nodes []attached.Node) {
	if i := slices.IndexFunc(nodes, at(s.site)); i >= 0 && nodes[i].Port != "" {
		s.mu.Lock()
		s.port = nodes[i].Port
		s.mu.Unlock()
	}
}

// socket is where the slot's device is or was, or is meant to be; empty if that is not known.
func (s *slot) socket() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

// Found tells what is plugged into the machine.
func (s *Set) Found() []Found {
	s.mu.Lock()
	nodes := s.plugged.nodes
	s.mu.Unlock()
	return Find(nodes, s.site, s.models, s.registry)
}

// Roots tells what is behind the troubles of devices now.
func (s *Set) Roots() []Root {
	s.mu.Lock()
	hubs := s.plugged.hubs
	s.mu.Unlock()
	var roots []Root
	lines := make(map[string][]*slot)
	for _, sl := range s.slots {
		switch sl.Health().Code {
		case device.CodeOffline:
			if hub := missing(sl.socket(), hubs); hub != "" {
				roots = add(roots, health.HubGone, hub, sl.name)
			}
		case device.CodePermission:
			if group := foreign(s.nodeOf(sl)); group != "" {
				roots = add(roots, health.GroupMissing, group, sl.name)
			}
		case device.CodeBusy:
			if owner := s.holder(sl); owner != nil {
				roots = add(roots, health.PortTwice, owner.line, owner.name)
				roots = add(roots, health.PortTwice, owner.line, sl.name)
			}
		}
		if sl.shared {
			lines[sl.line] = append(lines[sl.line], sl)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		all := lines[line]
		if len(all) > 1 && !slices.ContainsFunc(all, func(sl *slot) bool { return sl.Health().State != device.Offline }) {
			for _, sl := range all {
				roots = add(roots, health.BusDown, line, sl.name)
			}
		}
	}
	return roots
}

// add notes that a device has a root.
func add(roots []Root, code health.Code, subject, device string) []Root {
	at := slices.IndexFunc(roots, func(r Root) bool { return r.Code == code && r.Subject == subject })
	switch {
	case at < 0:
		return append(roots, Root{code, subject, []string{device}})
	case !slices.Contains(roots[at].Devices, device):
		roots[at].Devices = append(roots[at].Devices, device)
	}
	return roots
}

// holder gives the device of ours that has the port of a busy one under another name; nil: a stranger has it.
func (s *Set) holder(busy *slot) *slot {
	if busy.leads == nil {
		return nil
	}
	node := busy.leads()
	for _, sl := range s.slots {
		if sl != busy && node != "" && sl.leads != nil && sl.line != busy.line && sl.Health().Code != device.CodeBusy && sl.leads() == node {
			return sl
		}
	}
	return nil
}

// missing gives the hub nearest to the machine that a device in a socket needs and that is not there.
func missing(port string, hubs []string) string {
	for _, hub := range attached.Above(port) {
		if !slices.Contains(hubs, hub) {
			return hub
		}
	}
	return ""
}

// nodeOf gives the node that a slot's device has now; empty for none.
func (s *Set) nodeOf(sl *slot) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.plugged.nodes, at(sl.site)); i >= 0 {
		return s.plugged.nodes[i].Path
	}
	return ""
}

// foreign gives the group that may use a node and that this program is not in; empty if there is none such.
func foreign(path string) string {
	var st syscall.Stat_t
	const groupBoth = 0o060
	if path == "" || syscall.Stat(path, &st) != nil || st.Mode&groupBoth != groupBoth || st.Gid == 0 {
		return ""
	}
	mine, err := os.Getgroups()
	if err != nil || slices.Contains(mine, int(st.Gid)) || os.Getegid() == int(st.Gid) {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
