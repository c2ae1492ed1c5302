// Package stream gives decoders the memory of a line that has no marks between its frames: bytes wait there until it is known whether
// they are a frame or noise.
package stream

// Kept is how many bytes wait at the most: twice the longest frame of any protocol here.
const Kept = 2048

// Window is what came last on a line. The zero value is empty.
type Window struct {
	buf     []byte
	garbage uint64
}

// Push takes received bytes. What is older than Kept bytes is thrown away.
func (w *Window) Push(b []byte) {
	w.buf = append(w.buf, b...)
	if over := len(w.buf) - Kept; over > 0 {
		w.Waste(over)
		w.drop(over)
	}
}

// Find takes the first frame out; whole is false when there is none yet. size says how long the frame beginning with some bytes is: 0
// when more are needed to know, -1 when none can begin so. What comes before a frame is garbage.
func (w *Window) Find(size func([]byte) int) (whole bool) {
	for i := range w.buf {
		n := size(w.buf[i:])
		if n < 0 {
			continue
		}
		w.Waste(i)
		if n == 0 || n > len(w.buf)-i {
			w.drop(i)
			return false
		}
		w.drop(i + n)
		return true
	}
	w.Clear()
	return false
}

// Clear throws away what waits.
func (w *Window) Clear() {
	w.Waste(len(w.buf))
	w.drop(len(w.buf))
}

// Waste counts bytes as garbage, such as those of a frame that was found and is none after all.
func (w *Window) Waste(n int) { w.garbage += uint64(n) }

// Garbage counts the bytes that belonged to no frame.
func (w *Window) Garbage() uint64 { return w.garbage }

// Waiting is how many bytes wait.
func (w *Window) Waiting() int { return len(w.buf) }

func (w *Window) drop(n int) { w.buf = append(w.buf[:0], w.buf[n:]...) }
