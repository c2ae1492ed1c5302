package onbon

import "fmt"

// Command is a command's group byte and command byte.
type Command uint16

// The commands of a calling screen.
const (
	CmdPing   Command = 0xA200
	CmdReset  Command = 0xA201
	CmdPower  Command = 0xA300 // one parameter: PowerOn or PowerOff
	CmdUpdate Command = 0xA306 // dynamic text areas, see Update
	CmdClear  Command = 0xA310

	CmdBrightness Command = 0xA302 // see Brightness
)

// Parameters of CmdPower.
const (
	PowerOn  byte = 1
	PowerOff byte = 2
)

const (
	replyWanted   = 1
	replyUnwanted = 2
	requestLen    = 5
	replyLen      = 5
)

// Request is the data of a frame to a card. Mode is the process mode; only CmdUpdate has one.
type Request struct {
	Command Command
	Silent  bool // the card shall not reply
	Mode    byte
	Params  []byte
}

// Data encodes the request as the data of a frame.
func (r Request) Data() []byte {
	reply := byte(replyWanted)
	if r.Silent {
		reply = replyUnwanted
	}
	return append([]byte{byte(r.Command >> 8), byte(r.Command), reply, r.Mode, 0}, r.Params...)
}

// ParseRequest decodes the data of a frame to a card.
func ParseRequest(data []byte) (Request, error) {
	if len(data) < requestLen {
		return Request{}, fmt.Errorf("request of %d bytes: the least is %d", len(data), requestLen)
	}
	return Request{Command: Command(data[0])<<8 | Command(data[1]), Silent: data[2] == replyUnwanted, Mode: data[3], Params: data[requestLen:]}, nil
}

// Result is the error byte of a reply.
type Result byte

// The results a host acts on; the maker's list goes on.
const (
	ResultOK         Result = 0
	ResultWrongGroup Result = 1
	ResultNoCommand  Result = 2
	ResultBusy       Result = 3 // wait 200 ms and send again
	ResultMemory     Result = 4
	ResultCRC        Result = 5
	ResultNoFont     Result = 12
)

// String implements fmt.Stringer.
func (r Result) String() string {
	names := [...]string{"ok", "wrong group", "no such command", "busy", "out of memory", "wrong CRC", "no such file", "flash error",
		"download error", "wrong name", "wrong type", "wrong file CRC", "no such font", "wrong firmware type", "wrong date format",
		"file exists", "wrong block number"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("error %d", byte(r))
}

// Reply is the data of a card's answer. Cards differ in the command they put there: judge by Result alone.
type Reply struct {
	Command Command
	Result  Result
	Extra   []byte
}

// Data encodes the reply as the data of a frame.
func (r Reply) Data() []byte {
	return append([]byte{byte(r.Command >> 8), byte(r.Command), byte(r.Result), 0, 0}, r.Extra...)
}

// ParseReply decodes the data of a frame from a card.
func ParseReply(data []byte) (Reply, error) {
	if len(data) < replyLen {
		return Reply{}, fmt.Errorf("reply of %d bytes: the least is %d", len(data), replyLen)
	}
	return Reply{Command: Command(data[0])<<8 | Command(data[1]), Result: Result(data[2]), Extra: data[replyLen:]}, nil
}
