package sdtreader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/sdt"
)

// maxTries is how often a card is read before it is given up.
const maxTries = 3

// refusal is why a card was not read though the reader answered.
type refusal struct {
	action sdt.Action
	why    string
}

func (e *refusal) Error() string { return e.why }

// fault is what whoever put the card there is told.
func (e *refusal) fault() device.Fault {
	switch e.action {
	case sdt.WrongCard:
		return device.CardUnknown
	case sdt.ReplaceCard:
		return device.CardRefused
	}
	return device.CardUnreadable
}

// look looks for a card and reads it if it may be a new one.
func (r *Reader) look(_ context.Context, conn transport.Conn) error {
	found, err := r.find(conn)
	switch {
	case err != nil:
		return r.missed(err)
	case !found:
		if r.seen.none(time.Now()) {
			r.session.Garbage(1)
			r.unread.Failed(device.CardRemoved, "it was taken away")
		}
		return r.missed(nil)
	case !r.seen.found(time.Now()):
		return r.missed(nil)
	}
	return r.missed(r.read(conn))
}

// find asks whether a card is there.
func (r *Reader) find(conn transport.Conn) (found bool, err error) {
	reply, err := r.ask(conn, sdt.CmdFind, answerIn)
	switch action := reply.Status.Action(); {
	case err != nil:
		return false, err
	case reply.Status == sdt.StatusFound, action == sdt.KeepLooking, action == sdt.FindAgain:
		r.unread.Answered()
		return reply.Status == sdt.StatusFound, nil
	case reply.Status.OK(): // so nobody answers this command: it belongs to another one, and the true answer is still to come
		r.owed = time.Now().Add(readIn)
		return false, &device.Error{Op: "find a card", Code: device.CodeBadReply, Retry: true,
			Err: fmt.Errorf("%w: %s", session.ErrNonsense, reply.Status)}
	}
	return false, outOfService(reply.Status) // the module itself is not well: the next connection begins by asking it
}

// missed tolerates that one look or the next stays without an answer.
func (r *Reader) missed(err error) error {
	if err == nil {
		r.misses = 0
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if r.misses++; r.misses < maxMisses {
		return nil
	}
	return err
}

// read reads the card that was just found, starting over while it can be found again. Its errors are those of the line.
func (r *Reader) read(conn transport.Conn) error {
	for try := 1; ; try++ {
		card, err := r.readOnce(conn)
		var no *refusal
		switch {
		case err == nil:
			r.unread.Read()
			if r.seen.read(time.Now(), card.Number.Reveal()) {
				r.deliver(card)
			}
			return nil
		case !errors.As(err, &no):
			if r.seen.fail() {
				r.unread.Failed(device.CardUnreadable, err.Error())
			}
			return err
		case no.action != sdt.FindAgain || try == maxTries:
			if r.seen.giveUp(time.Now()) {
				r.session.Garbage(1)
				r.unread.Failed(no.fault(), no.why)
			}
			return nil
		}
		if found, err := r.find(conn); err != nil || !found {
			return err // taken away meanwhile; the next look will tell
		}
	}
}

// readOnce selects and reads. It fails with a *refusal when the reader or the card did not give what it should.
func (r *Reader) readOnce(conn transport.Conn) (device.IDCard, error) {
	if _, err := r.demand(conn, sdt.CmdSelect, answerIn); err != nil {
		return device.IDCard{}, err
	}
	reply, err := r.demand(conn, sdt.CmdReadCard, readIn)
	if err != nil {
		return device.IDCard{}, err
	}
	card, err := r.understand(reply)
	if err == nil && r.newest {
		err = r.addNewest(conn, &card)
	}
	return card, err
}

// understand makes a card of the answer to the question for one.
func (r *Reader) understand(reply sdt.Reply) (device.IDCard, error) {
	card, err := reply.Card()
	var unknown *sdt.UnknownLayoutError
	switch {
	case errors.As(err, &unknown):
		return device.IDCard{}, &refusal{sdt.WrongCard, err.Error()}
	case err != nil:
		return device.IDCard{}, &refusal{sdt.FindAgain, err.Error()}
	case !card.NumberValid():
		return device.IDCard{}, &refusal{sdt.FindAgain, "the number's check character is wrong"}
	}
	c := toDevice(card)
	if r.photo {
		photo, err := reply.Photo()
		if err != nil {
			return device.IDCard{}, &refusal{sdt.FindAgain, err.Error()}
		}
		c.Photo = device.NewSecret(photo.Reveal())
	}
	return c, nil
}

// demand asks and makes a refusal of an answer that arrived damaged or is not success.
func (r *Reader) demand(conn transport.Conn, c sdt.Command, within time.Duration) (sdt.Reply, error) {
	reply, err := r.ask(conn, c, within)
	switch {
	case errors.Is(err, session.ErrNonsense):
		err = &refusal{sdt.FindAgain, err.Error()}
	case err == nil && !reply.Status.OK():
		err = &refusal{reply.Status.Action(), reply.Status.String()}
	}
	return reply, err
}

// addNewest replaces the printed address by the one the card got last. A module that cannot say, or says nothing, leaves the printed
// one: the card was read.
func (r *Reader) addNewest(conn transport.Conn, card *device.IDCard) error {
	reply, err := r.ask(conn, sdt.CmdNewestAddress, readIn)
	if err != nil && !errors.Is(err, session.ErrNonsense) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	var newest sdt.Private
	if err == nil {
		newest, err = reply.NewestAddress()
	}
	if err != nil {
		r.cfg.Log.Debug("newest_address_unknown", "error", err)
		return nil
	}
	if !newest.Empty() {
		card.Address = device.NewSecret(newest.Reveal())
	}
	return nil
}

// toDevice gives a card in the words of all drivers.
func toDevice(c sdt.Card) device.IDCard {
	name := c.Name
	if name.Empty() {
		name = c.EnglishName
	}
	card := device.IDCard{
		Kind: string(c.Kind), Name: device.NewSecret(name.Reveal()), Number: device.NewSecret(c.Number.Reveal()),
		Address: device.NewSecret(c.Address.Reveal()), Sex: "unknown", Birth: device.NewSecret(c.Birth.Reveal()), ValidTo: c.ValidTo,
		At: time.Now(),
	}
	switch c.Sex {
	case sdt.Male:
		card.Sex = "male"
	case sdt.Female:
		card.Sex = "female"
	}
	if c.Kind == sdt.Resident {
		card.Ethnicity = sdt.EthnicName(c.EthnicCode)
	}
	return card
}
