package agent

import (
	"halledge/agent/internal/codes"
	"halledge/firmware-protocols/hallsync"
)

// indexKeys gives the centre's keys of the index of people, the one to use first.
func (a *Agent) indexKeys() (keys []codes.Key) {
	for _, k := range a.identity.Index() {
		keys = append(keys, codes.NewKey(k.ID, k.Reveal()))
	}
	return keys
}

// ownIndex tells the centre the key of the names that the hall gave before it was enrolled; nil while nobody there can open it.
func (a *Agent) ownIndex() (*hallsync.OwnIndexKey, error) {
	own := a.signer.OwnKey()
	told := hallsync.OwnIndexKey{ID: own.ID}
	for _, k := range a.identity.Centre() {
		wrapped, err := own.Wrap(k)
		if err != nil {
			return nil, err
		}
		told.Keys = append(told.Keys, hallsync.KeyWrap{For: k.ID(), Wrapped: wrapped})
	}
	if len(told.Keys) == 0 {
		return nil, nil
	}
	return &told, nil
}

// reindex takes over which keys the index of people has.
func (a *Agent) reindex(raw []byte) error {
	s, err := a.orders.Open(raw, hallsync.SignedIndex)
	if err != nil {
		return err
	}
	var order hallsync.IndexOrdered
	if !hallsync.Exact(s.Body, hallsync.MaxSigned, &order) || !order.Valid() {
		return &hallsync.SignedError{Why: hallsync.RefusedForm}
	}
	changed, err := a.identity.Reindex(order.Keys)
	if err != nil || !changed {
		return err
	}
	a.log.Info("index of people has other keys", "keys", len(order.Keys))
	return a.orders.Followed(s)
}
