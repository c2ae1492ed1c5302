package identity

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/private"
)

// The box's own keys. Each is a file here, or a credential that the service manager gives.
const (
	fileStorage = "storage.key"
	fileSign    = "sign.key"

	credentialStorage = "hall-agent.storage.key"
	credentialSign    = "hall-agent.sign.key"

	elsewhere = "credential\n" // in the place of a key that is a credential
)

// ownKeys are the keys that stay with the box whatever happens to its certificates.
type ownKeys struct {
	storage gm.PrivateKey // day keys and what else the box keeps are wrapped for it
	sign    gm.PrivateKey // checkpoints, requests for certificates, and TLCP
}

// openKeys reads the keys, and makes those that are missing. One that is damaged is put aside, and another one made: the hall works on
// without what only the old one could open.
func (i *Identity) openKeys(make bool) error {
	return i.dir.do(make, func(open *private.Directory) (err error) {
		if i.own.storage, err = i.openKey(open, credentialStorage, fileStorage, make); err != nil {
			return err
		}
		i.own.sign, err = i.openKey(open, credentialSign, fileSign, make)
		return err
	})
}

func (i *Identity) openKey(open *private.Directory, credential, file string, make bool) (gm.PrivateKey, error) {
	key, found, err := i.credential(credential)
	if found || err != nil {
		return key, err
	}
	text, err := open.Read(file)
	err = faultOf(err)
	switch {
	case err != nil && !isFault(err, CodeDamaged):
		return gm.PrivateKey{}, err
	case string(text) == elsewhere: // another key in its place would be another box
		return gm.PrivateKey{}, &Fault{Code: CodeCredential, Path: open.Path(file)}
	case err == nil && text != nil:
		if key, err = gm.OpenKey(i.o.Provider, string(text)); err == nil {
			return key, nil
		}
		if !errors.Is(err, gm.ErrInvalid) { // the module that keeps it is away: it may come back
			return gm.PrivateKey{}, fmt.Errorf("open identity: %w", err)
		}
		err = &Fault{Code: CodeDamaged, Path: open.Path(file)} // what a parser says may be of the key
	}
	if !make {
		if err == nil {
			err = &Fault{Code: CodeMissing, Path: open.Path(file)}
		}
		return gm.PrivateKey{}, err
	}
	if err != nil {
		if err := i.putAside(open, file); err != nil {
			return gm.PrivateKey{}, err
		}
	}
	key, reference, err := gm.GenerateKeyIn(i.o.Provider)
	if err != nil {
		return gm.PrivateKey{}, fmt.Errorf("make identity: %w", err)
	}
	return key, open.Write(file, []byte(reference))
}

// putAside puts a damaged file aside and remembers it for the people who look after the hall.
func (i *Identity) putAside(open *private.Directory, file string) error {
	to, err := aside(open, file, time.Now())
	if err != nil {
		return err
	}
	i.o.Log.Error("damaged identity put aside", "file", open.Path(file), "aside", to)
	i.damage(to)
	return nil
}

// credential gives a key that the service manager hands over (systemd.exec(5), LoadCredentialEncrypted=). One that is there and no key is
// somebody's mistake, and no reason to go on with another one.
func (i *Identity) credential(name string) (key gm.PrivateKey, found bool, err error) {
	if i.o.Credentials == "" {
		return gm.PrivateKey{}, false, nil
	}
	path := filepath.Join(i.o.Credentials, name)
	text, err := readCredential(path)
	if text == nil || err != nil {
		return gm.PrivateKey{}, false, err
	}
	key, err = gm.OpenKey(i.o.Provider, string(text))
	if errors.Is(err, gm.ErrInvalid) {
		err = &Fault{Code: CodeDamaged, Path: path}
	}
	return key, err == nil, err
}

func isFault(err error, code Code) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}
