package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// decode writes node into v and notes what does not fit.
func (d *Document) decode(path string, node ast.Node, v reflect.Value) {
	if _, seen := d.places[path]; !seen || path == "$" {
		d.places[path] = start(node)
	}
	switch n := node.(type) {
	case *ast.NullNode:
		return
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode, *ast.DirectiveNode:
		d.add(path, start(node), Feature, map[string]string{"feature": node.GetToken().Value})
		return
	case *ast.MappingValueNode:
		node = ast.Mapping(n.GetToken(), false, n)
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, node, u)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(path, node, v)
	case reflect.Map:
		d.mapping(path, node, v)
	case reflect.Slice:
		d.sequence(path, node, v)
	default:
		d.scalar(path, node, v)
	}
}

func (d *Document) structure(path string, node ast.Node, v reflect.Value) {
	fields, names := fieldsOf(v.Type())
	d.entries(path, node, func(key string, where place, value ast.Node) {
		i, known := fields[key]
		if !known {
			d.add(path+"."+key, where, UnknownKey, map[string]string{"key": key, "allowed": strings.Join(names, ", ")})
			return
		}
		d.decode(path+"."+key, value, v.Field(i))
	})
}

func (d *Document) mapping(path string, node ast.Node, v reflect.Value) {
	t := v.Type()
	m := reflect.MakeMap(t)
	if !d.entries(path, node, func(key string, _ place, value ast.Node) {
		item := reflect.New(t.Elem()).Elem()
		d.decode(path+"."+key, value, item)
		m.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), item)
	}) {
		return
	}
	v.Set(m)
}

// entries calls each for every key of a mapping, once per key. It reports whether node is a mapping.
func (d *Document) entries(path string, node ast.Node, each func(key string, where place, value ast.Node)) bool {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		d.add(path, start(node), WantMapping, nil)
		return false
	}
	first := map[string]int{}
	for _, entry := range m.Values {
		tk := entry.Key.GetToken()
		where := start(entry.Key)
		switch entry.Key.(type) {
		case *ast.MergeKeyNode, *ast.MappingKeyNode, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
			d.add(path, where, Feature, map[string]string{"feature": tk.Value})
			continue
		}
		key := tk.Value
		if line, twice := first[key]; twice {
			d.add(path+"."+key, where, DuplicateKey, map[string]string{"key": key, "line": strconv.Itoa(line)})
			continue
		}
		first[key] = where.line
		each(key, where, entry.Value)
	}
	return true
}

func (d *Document) sequence(path string, node ast.Node, v reflect.Value) {
	s, ok := node.(*ast.SequenceNode)
	if !ok {
		d.add(path, start(node), WantList, nil)
		return
	}
	list := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, item := range s.Values {
		d.decode(fmt.Sprintf("%s[%d]", path, i), item, list.Index(i))
	}
	v.Set(list)
}

func (d *Document) text(path string, node ast.Node, u encoding.TextUnmarshaler) {
	text, ok := stringOf(node)
	if !ok {
		d.add(path, start(node), WantText, nil)
		return
	}
	err := u.UnmarshalText([]byte(text))
	var refused *ValueError
	switch {
	case errors.As(err, &refused):
		d.add(path, start(node), refused.Code, refused.Args)
	case err != nil:
		d.add(path, start(node), BadValue, map[string]string{"reason": err.Error()})
	}
}

func (d *Document) scalar(path string, node ast.Node, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(path, node, v)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if text, ok := stringOf(node); ok {
			v.SetString(text)
			return
		}
		d.add(path, start(node), WantText, nil)
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		d.add(path, start(node), WantBool, nil)
	case reflect.Float32, reflect.Float64:
		d.float(path, node, v)
	default:
		d.integer(path, node, v)
	}
}

func (d *Document) duration(path string, node ast.Node, v reflect.Value) {
	text, ok := stringOf(node)
	span, err := time.ParseDuration(text)
	if !ok || err != nil {
		d.add(path, start(node), WantDuration, nil)
		return
	}
	v.SetInt(int64(span))
}

func (d *Document) float(path string, node ast.Node, v reflect.Value) {
	var f float64
	switch n := node.(type) {
	case *ast.FloatNode:
		f = n.Value
	case *ast.IntegerNode:
		f = asFloat(n.Value)
	default:
		d.add(path, start(node), WantNumber, nil)
		return
	}
	v.SetFloat(f)
}

func (d *Document) integer(path string, node ast.Node, v reflect.Value) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		d.add(path, start(node), WantInteger, nil)
		return
	}
	if v.CanUint() {
		if u, ok := n.Value.(uint64); ok && !v.OverflowUint(u) {
			v.SetUint(u)
			return
		}
		high := uint64(math.MaxUint64) >> (64 - v.Type().Bits())
		d.add(path, start(node), OutOfRange, rangeArgs(node, "0", strconv.FormatUint(high, 10)))
		return
	}
	i, fits := asInt(n.Value)
	if !fits || v.OverflowInt(i) {
		high := int64(math.MaxInt64) >> (64 - v.Type().Bits())
		d.add(path, start(node), OutOfRange, rangeArgs(node, strconv.FormatInt(-high-1, 10), strconv.FormatInt(high, 10)))
		return
	}
	v.SetInt(i)
}

func rangeArgs(node ast.Node, low, high string) map[string]string {
	return map[string]string{"value": node.GetToken().Value, "low": low, "high": high}
}

// asInt takes what the parser gives for an integer: uint64 for zero and above, int64 below.
func asInt(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= math.MaxInt64
	}
	return 0, false
}

func asFloat(v any) float64 {
	if u, ok := v.(uint64); ok {
		return float64(u)
	}
	i, _ := v.(int64)
	return float64(i)
}

// stringOf gives a text value. A plain number is taken as it is written, so that a window may be called 1 and a hall code
// needs no quotes.
func stringOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// start is where a node begins. A mapping's own token is its first colon, so its first key counts.
func start(node ast.Node) place {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return start(n.Key)
	}
	return at(node.GetToken())
}

// fieldsOf maps the yaml names of a struct to field numbers, and lists the names in the order of the type.
func fieldsOf(t reflect.Type) (map[string]int, []string) {
	fields, names := map[string]int{}, []string{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" || !t.Field(i).IsExported() {
			continue
		}
		fields[name] = i
		names = append(names, name)
	}
	return fields, names
}
