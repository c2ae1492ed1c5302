// Package said bounds the single texts of what halls say, before they are kept and shown.
package said

import (
	"reflect"

	"halledge/agent/kit/problem"
)

// maxText bounds one text, in characters: what the halls' own pages let anybody write.
const maxText = 200

// Bounded gives a message whose texts, however deep in it, are cut at 200 characters and hold none that nobody sees, such as controls. Lists
// are changed in place.
func Bounded[T any](message T) T {
	v := reflect.New(reflect.TypeOf(message)).Elem()
	v.Set(reflect.ValueOf(message))
	bound(v)
	return v.Interface().(T)
}

func bound(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(problem.Plain(cut(v.String())))
	case reflect.Pointer:
		if !v.IsNil() {
			bound(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // bytes are no text
		}
		for i := range v.Len() {
			bound(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				bound(f)
			}
		}
	}
}

func cut(s string) string {
	n := 0
	for at := range s {
		if n == maxText {
			return s[:at]
		}
		n++
	}
	return s
}
