package usbbulk

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// descriptor puts a length before the parts of a descriptor.
func descriptor(kind byte, rest ...byte) []byte {
	return append([]byte{byte(len(rest) + 2), kind}, rest...)
}

func deviceDescriptor() []byte {
	return descriptor(1, 0x10, 0x01, 0, 0, 0, 64, 0x00, 0x04, 0x5a, 0xc3, 0, 1, 1, 2, 0, 1)
}

func configuration() []byte { return descriptor(typeConfiguration, 0, 0, 1, 1, 0, 0x80, 50) }

func interfaceOf(number, setting, class byte) []byte {
	return descriptor(typeInterface, number, setting, 4, class, 0, 0, 0)
}

func endpoint(address, kind byte, packet uint16) []byte {
	return descriptor(typeEndpoint, address, kind, byte(packet), byte(packet>>8), 0)
}

func bulk(address byte) []byte { return endpoint(address, kindBulk, 64) }

const ownClass = 0xff

func TestDescriptorsSayWhichPipesThereAre(t *testing.T) {
	four := [][]byte{bulk(0x85), bulk(0x06), bulk(0x81), bulk(0x02)}
	for name, c := range map[string]struct {
		descriptors [][]byte
		want        function
	}{
		"two pipes each way, in any order": {
			slices.Concat([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass)}, four),
			function{0, []pipe{{0x02, 64}, {0x06, 64}}, []pipe{{0x81, 64}, {0x85, 64}}},
		},
		"one pipe each way": {
			[][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, 0), bulk(0x01), bulk(0x82)},
			function{0, []pipe{{0x01, 64}}, []pipe{{0x82, 64}}},
		},
		"behind a keyboard and a memory stick": {
			[][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, 3), descriptor(0x21, 1, 1, 0, 1, 0x22, 63, 0), endpoint(0x81, 3, 8),
				interfaceOf(1, 0, 8), bulk(0x02), bulk(0x82), interfaceOf(2, 0, ownClass), endpoint(0x83, 3, 8), endpoint(0x84, kindBulk, 512), endpoint(0x04, kindBulk, 512)},
			function{2, []pipe{{0x04, 512}}, []pipe{{0x84, 512}}},
		},
		"of the first setting and the first configuration only": {
			[][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), bulk(0x01), bulk(0x81),
				interfaceOf(0, 1, ownClass), bulk(0x02), bulk(0x82), configuration(), interfaceOf(0, 0, ownClass), bulk(0x03), bulk(0x83)},
			function{0, []pipe{{0x01, 64}}, []pipe{{0x81, 64}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan(bytes.Join(c.descriptors, nil))
			if err != nil || got.number != c.want.number || !slices.Equal(got.out, c.want.out) || !slices.Equal(got.in, c.want.in) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestDescriptorsOfWhatIsNoneOfOurs(t *testing.T) {
	whole := [][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), bulk(0x01), bulk(0x81)}
	for name, descriptors := range map[string][]byte{
		"nothing":             {},
		"a memory stick":      bytes.Join([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, 8), bulk(0x01), bulk(0x81)}, nil),
		"one way only":        bytes.Join([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), bulk(0x81)}, nil),
		"interrupt endpoints": bytes.Join([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), endpoint(1, 3, 64), endpoint(0x81, 3, 64)}, nil),
		"packets of no size":  bytes.Join([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), endpoint(1, 2, 0), endpoint(0x81, 2, 0)}, nil),
		"cut off":             bytes.Join(whole, nil)[:40],
		"a length of nothing": append(bytes.Join(whole, nil)[:27], 0, 0),
	} {
		if got, err := plan(descriptors); err == nil {
			t.Errorf("%s: taken for %+v", name, got)
		}
	}
}

// FuzzPlan reads what any device may say of itself: what is chosen can be spoken to.
func FuzzPlan(f *testing.F) {
	f.Add(bytes.Join([][]byte{deviceDescriptor(), configuration(), interfaceOf(0, 0, ownClass), bulk(0x81), bulk(0x01)}, nil))
	f.Fuzz(func(t *testing.T, descriptors []byte) {
		fn, err := plan(descriptors)
		if err != nil {
			return
		}
		if len(fn.in) == 0 || len(fn.out) == 0 {
			t.Fatalf("no way both ways: %+v", fn)
		}
		for _, p := range slices.Concat(fn.in, fn.out) {
			if p.packet < 1 || p.packet > largestPacket {
				t.Fatalf("packets of %d bytes", p.packet)
			}
		}
	})
}

// room is a transfer that brought bytes.
func roomOf(b ...byte) *room {
	return &room{urb: &urb{actual: int32(len(b))}, buf: b}
}

// drain reads all that is due, size bytes at a time, and counts the rooms that became empty.
func drain(a *arrivals, size int) (all []byte, empty int) {
	b := make([]byte, size)
	for a.first() != nil {
		n, room := a.take(b)
		all = append(all, b[:n]...)
		if room != nil {
			empty++
		}
	}
	return all, empty
}

func TestAnswersOverTwoPipesAreReadInTheirOrder(t *testing.T) {
	for size := 1; size <= 9; size++ {
		a := arrivals{boxes: make([]box, 2), head: 3}
		if stale := a.asked(); len(stale) != 0 {
			t.Fatalf("%d rooms of nothing", len(stale))
		}
		a.boxes[1].rooms = []*room{roomOf(4, 5)} // the rest overtook the head
		if got, _ := drain(&a, size); len(got) != 0 {
			t.Fatalf("read % x before the head came", got)
		}
		a.boxes[0].rooms = append(a.boxes[0].rooms, roomOf(1, 2))
		if got, _ := drain(&a, size); !bytes.Equal(got, []byte{1, 2}) {
			t.Fatalf("read % x of half a head", got)
		}
		first, rest := roomOf(3), roomOf(6)
		a.boxes[0].rooms = append(a.boxes[0].rooms, first, roomOf(), roomOf(7, 8, 9)) // with an empty packet and the head of another answer
		a.boxes[1].rooms = append(a.boxes[1].rooms, rest)
		got, empty := drain(&a, size)
		if !bytes.Equal(got, []byte{3, 4, 5, 6, 7, 8, 9}) || empty != 5 {
			t.Fatalf("by %d bytes read % x out of %d rooms", size, got, empty)
		}
		if first.buf[0] != 0 || rest.buf[0] != 0 {
			t.Fatal("what was read is still there")
		}
	}
}

func TestAQuestionForgetsARestWithoutAHead(t *testing.T) {
	a := arrivals{boxes: make([]box, 2), head: 2}
	a.asked()
	late := roomOf(9, 9)
	a.boxes[1].rooms = []*room{late}
	if stale := a.asked(); len(stale) != 1 || stale[0] != late {
		t.Fatalf("gave back %v", stale)
	}
	a.boxes[0].rooms, a.boxes[1].rooms = []*room{roomOf(1, 2)}, []*room{roomOf(3)}
	if got, _ := drain(&a, 64); !bytes.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("read % x", got)
	}
}

func TestOnePipeIsAStream(t *testing.T) {
	a := arrivals{boxes: make([]box, 1), head: 3}
	a.boxes[0].rooms = []*room{roomOf(1), roomOf(2, 3, 4, 5), roomOf(6)}
	a.asked()
	if got, empty := drain(&a, 2); !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 6}) || empty != 3 {
		t.Errorf("read % x out of %d rooms", got, empty)
	}
}

// A transfer whose count the kernel got wrong must not lead out of its room.
func TestATransferStaysInItsRoom(t *testing.T) {
	for actual, want := range map[int32]int{-1: 0, 0: 0, 3: 3, 4: 3} {
		r := &room{urb: &urb{actual: actual}, buf: make([]byte, 3)}
		if got := len(r.bytes()); got != want {
			t.Errorf("%d of 3 bytes: %d", actual, got)
		}
	}
}

// The numbers are those that the C header gives on 64-bit machines.
func TestRequestsOfTheKernel(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 {
		for name, c := range map[string][2]uintptr{
			"SUBMITURB": {reqSubmit, 0x8038550a}, "DISCARDURB": {reqDiscard, 0x550b}, "REAPURBNDELAY": {reqReap, 0x4008550d},
			"CLEAR_HALT": {reqClearHalt, 0x80045515}, "DISCONNECT_CLAIM": {reqTakeOver, 0x8108551b},
		} {
			if c[0] != c[1] {
				t.Errorf("%s is %#x, want %#x", name, c[0], c[1])
			}
		}
		if at := unsafe.Offsetof(urb{}.actual); at != 28 {
			t.Errorf("actual_length is at %d, want 28", at)
		}
	}
}

func TestRoomsAreOnesOwn(t *testing.T) {
	var d node
	rooms, err := d.rooms([]int{outRoom, 64, 1, 64})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rooms {
		for j := range r.buf {
			r.buf[j] = byte(i + 1)
		}
		r.urb.flags = uint32(i)
	}
	for i, r := range rooms {
		if r.urb.buffer != uintptr(unsafe.Pointer(&r.buf[0])) || r.urb.kind != urbBulk || r.urb.flags != uint32(i) {
			t.Errorf("room %d has the urb %+v", i, *r.urb)
		}
		for _, b := range r.buf {
			if b != byte(i+1) {
				t.Fatalf("room %d holds a byte of room %d", i, b-1)
			}
		}
	}
	if err := d.release(); err != nil || d.memory != nil {
		t.Error(err)
	}
}

func TestOpeningWhatIsNoUSBDevice(t *testing.T) {
	if _, err := Open("/dev/null", 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a file without descriptors: %v", err)
	}
}
