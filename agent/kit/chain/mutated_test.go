package chain_test

import (
	"testing"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm/gmtest"
)

// Neither a checkpoint nor a receipt of which anything was changed is its signer's.
func TestNothingMutatedIsSigned(t *testing.T) {
	box, centre := newKey(t), newKey(t)
	_, _, state := begun(t)
	checkpoint, err := state.Checkpoint(noon).Sign(box)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := chain.Receive(checkpoint.Point, noon, centre)
	if err != nil {
		t.Fatal(err)
	}
	if !checkpoint.Signed(box.Public()) || !receipt.Signed(centre.Public()) {
		t.Fatal("what is whole is not good")
	}
	read := 0
	gmtest.Mutated(checkpoint.Bytes(), gmtest.Mutations, func(m []byte) {
		if c, err := chain.ParseCheckpoint(m); err == nil {
			if read++; c.Signed(box.Public()) {
				t.Errorf("the checkpoint %x is good", m)
			}
		}
	})
	gmtest.Mutated(receipt.Bytes(), gmtest.Mutations, func(m []byte) {
		if r, err := chain.ParseReceipt(m); err == nil {
			if read++; r.Signed(centre.Public()) {
				t.Errorf("the receipt %x is good", m)
			}
		}
	})
	if read < gmtest.Mutations/10 {
		t.Errorf("only %d could be read: the check of the signature was not tried", read)
	}
}
