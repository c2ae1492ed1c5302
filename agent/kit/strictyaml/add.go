package strictyaml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ErrForm means that a list is written in a way that nothing can be added to by itself.
var ErrForm = errors.New("the list is written in a way that cannot be added to")

// AddItem gives text with an item, given in lines from its dash on, at the end of the list of a top-level key, indented as the others;
// where there is no such list it is made. All else stays as it is, the comments too. It fails with ErrForm. What it gives is to be read
// again before it is used: no edit of lines understands all of YAML.
func AddItem(text, key string, item []string) (string, error) {
	end := "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += end
	}
	lines := strings.SplitAfter(text, "\n") // the last one is empty
	line, value, err := valueOf(text, key)
	if err != nil {
		return "", err
	}
	switch {
	case line > len(lines): // the parser counts other line ends too
		return "", ErrForm
	case line == 0:
		return text + end + key + ":" + end + indented(item, "  ", end), nil
	}
	at, indent := line, "  " // behind that many lines
	switch list := value.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		switch {
		case !list.IsFlowStyle && len(list.Values) > 0:
			dash := list.Start.Position
			indent = strings.Repeat(" ", dash.Column-1)
			at = lastOf(lines, list.Values[len(list.Values)-1].GetToken().Position.Line, dash.Column)
		case len(list.Values) == 0 && list.Start.Position.Line == line && strings.Count(lines[line-1], "[]") == 1:
			lines[line-1] = strings.Replace(lines[line-1], "[]", "", 1)
		default:
			return "", ErrForm
		}
	default:
		return "", ErrForm
	}
	if at > len(lines) {
		return "", ErrForm
	}
	return strings.Join(lines[:at], "") + indented(item, indent, end) + strings.Join(lines[at:], ""), nil
}

func indented(lines []string, indent, end string) string {
	return indent + strings.Join(lines, end+indent) + end
}

// valueOf finds the line of a top-level key, from 1 on, and its value; 0 is none.
func valueOf(text, key string) (line int, value ast.Node, err error) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return 0, nil, fmt.Errorf("add to %s: %w", key, err)
	}
	if len(file.Docs) != 1 {
		return 0, nil, ErrForm
	}
	root, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok || root.IsFlowStyle {
		return 0, nil, ErrForm
	}
	for _, pair := range root.Values {
		if pair.Key.GetToken().Value == key {
			return pair.Key.GetToken().Position.Line, pair.Value, nil
		}
	}
	return 0, nil, nil
}

// lastOf gives the last line, from 1 on, of what begins at a line behind a dash in a column: what follows and is indented deeper, without
// the comments at its end.
func lastOf(lines []string, begin, column int) int {
	last := begin
	for i := begin; i < len(lines); i++ {
		said := strings.TrimLeft(lines[i], " ")
		if strings.TrimSpace(said) == "" || strings.HasPrefix(said, "#") {
			continue
		}
		if len(lines[i])-len(said) < column {
			break
		}
		last = i + 1
	}
	return last
}
