package view

import "halledge/drivers/device"

// Frame is what a screen is told to show, as LED panels are. Scene is calling, serving, waiting, paused, closed or notice.
type Frame struct {
	Scene  string   `json:"scene"`
	Lines  []string `json:"lines"`
	More   []string `json:"more"` // earlier calls
	Flash  bool     `json:"flash"`
	Serial string   `json:"serial"` // tells a frame from an earlier one with the same text
}

// FrameOf shows a frame; nil while there is none.
func FrameOf(f device.Frame) *Frame {
	if f.Scene == "" {
		return nil
	}
	return &Frame{Scene: string(f.Scene), Lines: append([]string{}, f.Lines...), More: append([]string{}, f.More...), Flash: f.Flash, Serial: f.Serial}
}
