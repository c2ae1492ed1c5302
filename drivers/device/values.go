package device

import (
	"context"
	"image"
	"time"
)

// PrintJob is a slip as a list of lines; the driver turns it into the printer's language. ID appears in logs and errors.
type PrintJob struct {
	ID    string
	Lines []Line
	Cut   bool
	Beep  bool
}

// Align places a line on the paper.
type Align uint8

// The alignments.
const (
	Left Align = iota
	Center
	Right
)

// Line is one printed line: text, a QR code, a barcode, a picture, a rule or vertical space. Exactly one of Text, QR, Code128,
// Picture, Rule and Feed is used. A text wider than the paper goes on below, broken between words and characters. Text and codes are printed as data: a driver never lets a control character of theirs reach the
// printer.
type Line struct {
	Text    string
	Align   Align
	Size    int // 1 to 8 times the normal height and width; 0 means 1
	Bold    bool
	QR      string
	QRDot   int         // size of a QR module in dots, 1 to 16; 0 means the driver's choice
	Code128 string      // ASCII
	Picture *image.Gray // the hall's logo, a pixel a dot, smaller where the paper is; it never changes after it was given to a driver
	Rule    bool
	Feed    int // blank lines
}

// Paper is what the printer's sensors say.
type Paper struct {
	End     bool
	NearEnd bool
	Cover   bool // the cover is open
}

// Scan is one code as the scanner delivered it.
type Scan struct {
	Payload   Secret
	Symbology string // AIM identifier such as "]Q1" if the scanner sends it, else empty
	At        time.Time
}

// Unread says that something was shown to a scanner or put on a card reader and could not be read: once each time, and at most
// once a second. It holds nothing of what was there.
type Unread struct {
	Fault Fault
	At    time.Time
}

// IDCard is what a reader told about a card. Everything personal is a Secret.
type IDCard struct {
	Kind      string // resident, hmt (港澳台居民居住证), foreigner_2017 or foreigner_2023
	Name      Secret
	Number    Secret
	Address   Secret
	Sex       string // male, female or unknown
	Ethnicity string // GB 3304 name, empty where the card has none
	Birth     Secret // YYYYMMDD
	ValidTo   string // YYYYMMDD, or empty for 长期
	Photo     Secret // as it is on the card, compressed; empty unless the site asked for it
	At        time.Time
}

// Scene is what a screen tells people; a screen with colours has one for each.
type Scene string

// The scenes.
const (
	SceneCalling Scene = "calling" // somebody shall come
	SceneServing Scene = "serving" // who is served here
	SceneWaiting Scene = "waiting" // nobody is called
	ScenePaused  Scene = "paused"
	SceneClosed  Scene = "closed"
	SceneNotice  Scene = "notice" // nobody is called, and the hall has something to say
)

// Scenes lists all scenes.
func Scenes() []Scene {
	return []Scene{SceneCalling, SceneServing, SceneWaiting, ScenePaused, SceneClosed, SceneNotice}
}

// Frame is what a screen shows: a few short lines in reading order, most important first.
type Frame struct {
	Scene Scene // empty: no scene's own looks
	Lines []string
	More  []string // for the rows that Lines leave free, such as earlier calls; a screen without such rows leaves them out
	Flash bool     // draw the eye for a moment
	// Serial tells a frame from an earlier one with the same text, so that a repeated call flashes again.
	Serial string
}

// Announcement is one sentence for the speaker.
type Announcement struct {
	ID       string
	Text     string
	Language string // zh-CN or zh-yue
	Volume   int    // percent of the loudest; 0: as the device is set
	Rate     int    // percent of the usual speed; 0: as the device is set
	// Sound makes the sentence as a WAV file, for speakers that only play; nil when nothing can.
	Sound func(ctx context.Context) ([]byte, error)
}

// KeyCode is what a pad's key means.
type KeyCode string

// The keys.
const (
	KeyNext     KeyCode = "next"
	KeyRecall   KeyCode = "recall"
	KeyPass     KeyCode = "pass"
	KeyTransfer KeyCode = "transfer"
	KeyPause    KeyCode = "pause"
	KeyResume   KeyCode = "resume"
	KeyLogin    KeyCode = "login"
	KeyLogout   KeyCode = "logout"
	KeyFinish   KeyCode = "finish"
	KeyRate     KeyCode = "rate"
	KeyDigit    KeyCode = "digit"
	KeyStart    KeyCode = "start"
	KeyAbandon  KeyCode = "abandon"
	KeyHold     KeyCode = "hold"
	KeyReturn   KeyCode = "return"  // brings back the held ticket, or the one passed last
	KeyConfirm  KeyCode = "confirm" // ends digits
	KeyCancel   KeyCode = "cancel"  // forgets digits
)

// Key is one press. Count is the pad's own event counter; Lost counts presses the pad reports but nobody saw.
type Key struct {
	Code     KeyCode
	Digit    int
	Operator int // number entered at the pad, with login; 0: none
	Count    uint16
	Lost     int
	At       time.Time
}

// PadFrame is what a pad shows to staff.
type PadFrame struct {
	Number  string // current ticket, empty for none
	Waiting int
	State   string // closed, idle, called, serving or paused
}

// RatingRequest asks for the rating of one ticket.
type RatingRequest struct {
	Session uint16 // tag the device echoes, binds the answer to the question
	Prompt  string
	Timeout time.Duration
}

// Rating is the device's answer: 1 (very dissatisfied) to 5 (very satisfied).
type Rating struct {
	Session uint16
	Stars   int
}
