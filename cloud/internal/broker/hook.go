package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"halledge/cloud/internal/gate"
	"halledge/firmware-protocols/hallsync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// errRefused ends a connection whose CONNECT breaks the rules.
var errRefused = errors.New("connection refused")

// maxWill is the length in bytes of the longest will that is looked into: it says who leaves, and no more.
const maxWill = 4 << 10

// What a hall may publish and what it may read, under its own prefix.
var (
	upLeaves   = []string{hallsync.UpEvents, hallsync.UpHello, hallsync.UpResults, hallsync.UpState}
	downLeaves = []string{hallsync.DownAcks, hallsync.DownCommands, hallsync.DownConfig, hallsync.DownTime}
)

// hook is where the engine asks the broker.
type hook struct {
	mqtt.HookBase
	b *Broker
}

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "halls" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(b byte) bool {
	return slices.Contains([]byte{mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnWill}, b)
}

// OnConnect checks the form of a CONNECT. MQTT 5 is refused because the engine's decoder for it can be made to panic; a session
// that outlives its connection, a connection without keep-alive and a will outside the hall's own state are refused because
// nothing in the contract needs them.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	code, reason := inspect(cl, pk)
	if reason == "" {
		return nil
	}
	h.b.log.Warn("mqtt connect refused", "reason", reason, "remote", cl.Net.Remote)
	cl.Properties.ProtocolVersion = 4 // the answer is in the form every client reads
	_ = cl.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: code.Code})
	return errRefused
}

// inspect gives the code of MQTT 3.1.1 and the reason for which a CONNECT is refused; an empty reason accepts it.
func inspect(cl *mqtt.Client, pk packets.Packet) (packets.Code, string) {
	hall := hallsync.HallID(cl.ID)
	switch {
	case pk.ProtocolVersion != 4:
		return packets.Err3UnsupportedProtocolVersion, "protocol is not MQTT 3.1.1"
	case !hall.Valid():
		return packets.Err3ClientIdentifierNotValid, "client id is not a hall code"
	case !bytes.Equal(pk.Connect.Username, []byte(cl.ID)):
		return packets.Err3ClientIdentifierNotValid, "user and client id differ"
	case !pk.Connect.Clean:
		return packets.Err3NotAuthorized, "session is not clean"
	case pk.Connect.Keepalive == 0 || pk.Connect.Keepalive > maxKeepalive:
		return packets.Err3NotAuthorized, "keep-alive is missing or too long"
	case pk.Connect.WillFlag && pk.Connect.WillTopic != hallsync.Topic(hall, hallsync.UpState):
		return packets.Err3NotAuthorized, "will is not the hall's own state"
	}
	return packets.CodeSuccess, ""
}

// OnConnectAuthenticate finds out who it is, by its certificate or on the loopback by its password, and makes the connection the session of
// its hall.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	c, ours := cl.Net.Conn.(*conn)
	if !ours {
		return false
	}
	hall := hallsync.HallID(cl.ID)
	named, proved := gate.HallOf(c.Conn)
	if proved {
		c.place = gate.Place{Address: c.RemoteAddr().String(), Boot: bootOf(pk.Connect.WillPayload)}
	} else {
		named = hall
	}
	if named != hall || !proved && !h.b.o.Authenticate(h.b.ctx, hall, pk.Connect.Password) {
		h.b.log.Warn("mqtt sign-in refused", "hall", hall, "proved", named, "remote", cl.Net.Remote)
		return false
	}
	return h.b.enter(c, hall)
}

// bootOf gives the run of the box's program, which its will names; empty if it names none.
func bootOf(will []byte) string {
	var r hallsync.Report
	if len(will) > maxWill || json.Unmarshal(will, &r) != nil {
		return ""
	}
	return r.Boot
}

// OnACLCheck lets a hall publish its own up/ topics and read its own down/ topics: each of them, or all of them as down/# or
// down/+. Everything else, shared subscriptions and $SYS among it, is refused.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	leaves := downLeaves
	if write {
		leaves = upLeaves
	}
	hall, leaf, ok := hallsync.ParseTopic(topic)
	if ok {
		return string(hall) == cl.ID && slices.Contains(leaves, leaf)
	}
	own := hallsync.HallID(cl.ID)
	return !write && (topic == hallsync.Topic(own, "down/#") || topic == hallsync.Topic(own, "down/+"))
}

// OnPublish hands a hall's message to the handler and answers that the engine need do nothing more with it: no retaining, no
// delivery, only the PUBACK. After an error there is no PUBACK.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	hall, leaf, ok := hallsync.ParseTopic(pk.TopicName)
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	if err := h.b.o.Handler.Message(h.b.ctx, hall, leaf, pk.Payload); err != nil {
		h.b.log.Error("message not taken", "hall", hall, "topic", leaf, "error", err)
		return pk, packets.ErrRejectPacket
	}
	return pk, packets.CodeSuccessIgnore
}

// OnWill hands a hall's will to the handler as the state it is, and gives the engine an empty one in its place. Its topic was
// checked when the hall connected.
func (h *hook) OnWill(cl *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	if c, ours := cl.Net.Conn.(*conn); ours && c.hall != "" {
		if err := h.b.o.Handler.Message(h.b.ctx, c.hall, hallsync.UpState, will.Payload); err != nil {
			h.b.log.Error("will not taken", "hall", c.hall, "error", err)
		}
	}
	will.Retain, will.Payload = false, nil
	return will, nil
}
