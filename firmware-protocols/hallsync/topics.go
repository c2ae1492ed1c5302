package hallsync

import "strings"

// The topics under hall/v1/{hall}/. All but DownTime are QoS 1; only UpState is retained.
const (
	UpEvents     = "up/events"
	UpHello      = "up/hello"
	UpResults    = "up/results"
	UpState      = "up/state"
	DownAcks     = "down/acks"
	DownCommands = "down/commands"
	DownConfig   = "down/config"
	DownTime     = "down/time"
)

const topicRoot = "hall/v1/"

// Topic gives the full MQTT topic of a hall, for example Topic(h, UpEvents).
func Topic(h HallID, leaf string) string { return topicRoot + string(h) + "/" + leaf }

// ParseTopic splits a full topic into hall and leaf. ok is false when the topic is not one of this contract's.
func ParseTopic(topic string) (h HallID, leaf string, ok bool) {
	rest, found := strings.CutPrefix(topic, topicRoot)
	if !found {
		return "", "", false
	}
	id, leaf, found := strings.Cut(rest, "/")
	h = HallID(id)
	if !found || !h.Valid() {
		return "", "", false
	}
	switch leaf {
	case UpEvents, UpHello, UpResults, UpState, DownAcks, DownCommands, DownConfig, DownTime:
		return h, leaf, true
	}
	return "", "", false
}
