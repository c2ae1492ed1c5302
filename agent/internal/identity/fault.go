package identity

// Code is why something about the identity cannot be done, for the sentence that people read.
type Code string

// The codes. Their sentences take path where it is named.
const (
	CodeUnsafe  Code = "identity_unsafe"  // path: others could read or change it, or it belongs to another account
	CodeDamaged Code = "identity_damaged" // path: not what was written there
	CodeMissing Code = "identity_missing" // path: no identity has been made yet

	CodeCredential Code = "identity_credential" // path: the key is with the service manager, who did not give it

	CodeNotEnrolled Code = "identity_not_enrolled"
	CodeLine        Code = "enrol_line"      // no enrolment code
	CodeFile        Code = "enrol_file"      // path: no file of the centre's
	CodeOver        Code = "enrol_over"      // the file is too old
	CodeForeign     Code = "enrol_foreign"   // hall, own: the code is of another hall
	CodeAddress     Code = "enrol_address"   // address: not where a centre can be
	CodeUnreached   Code = "enrol_unreached" // address
	CodePin         Code = "enrol_pin"       // address: it is not the centre that made the code
	CodeClock       Code = "enrol_clock"     // the clock is wrong
	CodeRefused     Code = "enrol_refused"   // the code is not good
	CodeLimited     Code = "enrol_limited"   // too many attempts
	CodeAnswer      Code = "enrol_answer"    // what the centre answered is not right
	CodeDenied      Code = "renew_denied"    // the centre does not know us, or our clock is wrong
)

// Fault is something that cannot be done, and why. It never holds a secret.
type Fault struct {
	Code Code
	Path string            // of the codes that speak of one
	Args map[string]string // what else its sentence takes
	Err  error             // may be nil
}

func (f *Fault) Error() string {
	text := "identity: " + string(f.Code)
	if f.Path != "" {
		text += " " + f.Path
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

func (f *Fault) Unwrap() error { return f.Err }

// Said gives what the sentence of the fault takes.
func (f *Fault) Said() map[string]string {
	said := map[string]string{"path": f.Path}
	for name, value := range f.Args {
		said[name] = value
	}
	return said
}
