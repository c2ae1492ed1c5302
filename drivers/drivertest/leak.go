package drivertest

import (
	"runtime"
	"strings"
	"testing"
)

// goroutines gives the stacks of all goroutines by their header "goroutine 7".
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		all[id] = stack
	}
	return all
}

// noneLeft waits until every goroutine of ours that was born since before has ended.
func noneLeft(t *testing.T, before map[string]string) {
	t.Helper()
	var left []string
	waitFor(t, "the device's goroutines to end", func() bool {
		left = left[:0]
		for id, stack := range goroutines() {
			if before[id] == "" && strings.Contains(stack, "halledge/") {
				left = append(left, stack)
			}
		}
		return len(left) == 0
	}, func() string { return strings.Join(left, "\n\n") })
}
