package pages

import (
	"slices"
	"testing"
)

func TestRuns(t *testing.T) {
	for _, tc := range []struct{ ids, want []string }{
		{nil, nil},
		{[]string{"1"}, []string{"1"}},
		{[]string{"1", "2"}, []string{"1", "2"}},
		{[]string{"1", "2", "3"}, []string{"1–3"}},
		{[]string{"1", "3", "4", "5", "9"}, []string{"1", "3–5", "9"}},
		{[]string{"A1", "A2", "A3", "4"}, []string{"A1", "A2", "A3", "4"}},
	} {
		if got := runs(tc.ids); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.ids, got, tc.want)
		}
	}
}
