package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadSecret reads one line, without its end. On a terminal it asks for it and does not show it. A line of more than limit bytes
// comes back cut, and still longer than limit.
func ReadSecret(in io.Reader, prompt io.Writer, ask string, limit int) (string, error) {
	if f, ok := in.(*os.File); ok {
		restore, err := hideTyping(int(f.Fd()))
		if err == nil {
			defer restore()
			fmt.Fprint(prompt, ask)
			defer fmt.Fprintln(prompt)
		}
	}
	line, err := bufio.NewReader(io.LimitReader(in, int64(limit)+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
