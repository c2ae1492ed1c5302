package ingest

import (
	"encoding/json"
	"strconv"
	"sync"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// stateAbout binds a sealed state to the segment whose chain it is of.
const stateAbout = "hall-cloud/v1/chain-state"

// maxStates bounds what is sealed with one key: far below what SM4-GCM bears with nonces by chance.
const maxStates = 1 << 24

// states seals how far chains are, which changes with each batch. One key of this run is wrapped for the vault once, not every state by itself.
type states struct {
	vault *vault.Vault

	mu     sync.Mutex
	key    gm.DataKey
	wraps  []hallsync.KeyWrap
	sealed int
}

// sealedState is a state as it lies in the database.
type sealedState struct {
	Wraps  []hallsync.KeyWrap `json:"wraps"`
	Record []byte             `json:"record"`
}

func aboutState(g *store.Segment) []string {
	return []string{stateAbout, string(g.Hall), g.Epoch, strconv.FormatUint(uint64(g.First), 10)}
}

func (s *states) seal(g *store.Segment, raw []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed%maxStates == 0 {
		key := gm.NewDataKey()
		wraps, err := s.vault.Wrap(key.Wrap)
		if err != nil {
			return nil, err
		}
		s.key, s.wraps = key, wraps
	}
	record, err := s.key.Seal(raw, aboutState(g)...)
	if err != nil {
		return nil, err
	}
	s.sealed++
	return json.Marshal(sealedState{s.wraps, record})
}

// open gives a state. Those of an earlier program are wrapped by themselves.
func (s *states) open(g *store.Segment) ([]byte, error) {
	var in sealedState
	if json.Unmarshal(g.State, &in) != nil {
		var wraps []hallsync.KeyWrap
		if err := json.Unmarshal(g.State, &wraps); err != nil {
			return nil, err
		}
		return s.vault.Secret(wraps)
	}
	key, err := s.keyOf(in)
	if err != nil {
		return nil, err
	}
	return key.Open(in.Record, aboutState(g)...)
}

func (s *states) keyOf(in sealedState) (gm.DataKey, error) {
	id, err := gm.RecordKey(in.Record)
	if err != nil {
		return gm.DataKey{}, err
	}
	s.mu.Lock()
	own := s.key
	s.mu.Unlock()
	if !own.IsZero() && own.ID() == id {
		return own, nil
	}
	return s.vault.DataKey(in.Wraps)
}
