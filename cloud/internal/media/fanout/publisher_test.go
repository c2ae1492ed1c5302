package fanout

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"
	"pgregory.net/rapid"

	"halledge/test/fakes/clip"
)

const cam = "440900000000001-CM001"

func film(t testing.TB) clip.Film {
	t.Helper()
	f, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// camera264 cuts the clip's frames into packets as a camera does.
type camera264 struct {
	film clip.Film
	enc  *rtph264.Encoder
	next int
	ts   uint32
}

func newCamera(t testing.TB, payload int) *camera264 {
	t.Helper()
	c := &camera264{film: film(t), enc: &rtph264.Encoder{PayloadType: 96, PayloadMaxSize: payload, PacketizationMode: 1}}
	if err := c.enc.Init(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *camera264) format() format.Format {
	return &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: c.film.SPS, PPS: c.film.PPS}
}

func (c *camera264) frame(t interface{ Fatal(...any) }) []*rtp.Packet {
	packets, err := c.enc.Encode(c.film.Frames[c.next%len(c.film.Frames)].NALUs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		p.Timestamp = c.ts
	}
	c.next++
	c.ts += clip.ClockRate / clip.FPS
	return packets
}

func quietHub() *Hub { return NewHub(func(string, bool) {}, func(string) {}) }

func publish(t testing.TB, h *Hub, c *camera264) *Publisher {
	t.Helper()
	p, err := h.Publish(cam, c.format(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write sends a frame's packets and gives the picture that came of it.
func write(p *Publisher, packets []*rtp.Packet) (out *Frame) {
	for _, packet := range packets {
		if f := p.Write(packet); f != nil {
			out = f
		}
	}
	return out
}

// nalus puts a picture together again.
func nalus(t interface{ Fatal(...any) }, f *Frame) []byte {
	dec := &rtph264.Decoder{PacketizationMode: 1}
	if err := dec.Init(); err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Packets {
		if n := p.MarshalSize(); n > 1200 {
			t.Fatal("a packet has ", n, " bytes")
		}
		if au, err := dec.Decode(p); err == nil {
			return bytes.Join(au, []byte{'|'})
		}
	}
	t.Fatal("the picture's packets do not end it")
	return nil
}

func TestPublisher_cutsTheSamePictures(t *testing.T) {
	for _, payload := range []int{300, 1400, 60000} {
		c := newCamera(t, payload)
		p := publish(t, quietHub(), c)
		for i, want := range c.film.Frames {
			f := write(p, c.frame(t))
			if f == nil || f.Key != want.Key || !bytes.Equal(nalus(t, f), bytes.Join(want.NALUs, []byte{'|'})) {
				t.Fatalf("payload %d: frame %d differs", payload, i)
			}
			if f.Timestamp != uint32(i*clip.ClockRate/clip.FPS) || f.Index != uint64(i+1) {
				t.Fatalf("frame %d has timestamp %d and index %d", i, f.Timestamp, f.Index)
			}
		}
	}
}

// Cameras that say their parameter sets only in the SDP, and those that set no marker, are understood as well.
func TestPublisher_parametersFromTheSDPAndNoMarker(t *testing.T) {
	c := newCamera(t, 1400)
	p := publish(t, quietHub(), c)
	for i := range 40 {
		full := c.film.Frames[i]
		bare := full.NALUs[len(full.NALUs)-1:]
		packets, err := c.enc.Encode(bare)
		if err != nil {
			t.Fatal(err)
		}
		for _, packet := range packets {
			packet.Timestamp, packet.Marker = uint32(i*6000), false
		}
		f := write(p, packets)
		if i == 0 {
			continue // it ends when the next one begins
		}
		want := c.film.Frames[i-1]
		if f == nil || f.Timestamp != uint32((i-1)*6000) || !bytes.Equal(nalus(t, f), bytes.Join(want.NALUs, []byte{'|'})) {
			t.Fatalf("frame %d differs: %+v", i-1, f)
		}
	}
}

// Whatever packets are lost, each picture that goes on is whole, and so is every picture it builds on.
func TestPublisher_neverShowsADamagedPicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := quietHub()
		c := newCamera(&testing.T{}, rapid.SampledFrom([]int{300, 1400}).Draw(t, "payload"))
		p, err := h.Publish(cam, c.format(), func() {})
		if err != nil {
			t.Fatal(err)
		}
		previous := -1 // index in the film of the last picture shown
		for i := range 60 {
			want := c.film.Frames[i]
			var arrive []*rtp.Packet
			for _, packet := range c.frame(t) {
				if rapid.IntRange(0, 19).Draw(t, "lost") != 0 {
					arrive = append(arrive, packet)
				}
			}
			f := write(p, arrive)
			if f == nil {
				continue
			}
			if !bytes.Equal(nalus(t, f), bytes.Join(want.NALUs, []byte{'|'})) {
				t.Fatalf("picture %d is not whole", i)
			}
			if !want.Key && previous != i-1 {
				t.Fatalf("picture %d builds on %d, but the last one shown is %d", i, i-1, previous)
			}
			previous = i
		}
	})
}

func TestSubscription_beginsWithAKeyFrameAndHasNoGap(t *testing.T) {
	c := newCamera(t, 1400)
	h := quietHub()
	if _, err := h.Subscribe(cam); !errors.Is(err, ErrOffline) {
		t.Fatalf("Subscribe of an offline camera: %v", err)
	}
	p := publish(t, h, c)
	early, err := h.Subscribe(cam)
	if err != nil || len(early.Start) != 0 {
		t.Fatalf("Start %v, %v", early.Start, err)
	}
	for range 20 { // into the second group
		write(p, c.frame(t))
	}
	late, err := h.Subscribe(cam)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		write(p, c.frame(t))
	}
	for name, s := range map[string]*Subscription{"early": early, "late": late} {
		all := s.Start
		for len(s.Frames()) > 0 {
			all = append(all, <-s.Frames())
		}
		if !all[0].Key {
			t.Errorf("%s does not begin with a key frame", name)
		}
		for i := range all[1:] {
			if all[i+1].Index != all[i].Index+1 {
				t.Errorf("%s: picture %d follows %d", name, all[i+1].Index, all[i].Index)
			}
		}
		if last := all[len(all)-1]; last.Index != 30 {
			t.Errorf("%s ends with picture %d, want 30", name, last.Index)
		}
	}
	if got := late.Again(18); len(got) != 3 || !got[0].Key || got[2].Index != 18 {
		t.Errorf("Again(18) gives %d pictures", len(got))
	}
	if got := late.Again(3); len(got) != 0 {
		t.Errorf("Again of a group that is gone gives %d pictures", len(got))
	}
	late.Close()
	p.Close()
	if _, open := <-early.Frames(); open {
		t.Error("pictures come after the end")
	}
	early.Close()
}

func TestSubscription_slowReceiverLosesGroupsAndHoldsUpNobody(t *testing.T) {
	c := newCamera(t, 1400)
	h := quietHub()
	p := publish(t, h, c)
	write(p, c.frame(t))
	slow, err := h.Subscribe(cam)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := h.Subscribe(cam)
	if err != nil {
		t.Fatal(err)
	}
	for range 130 {
		write(p, c.frame(t))
		<-fast.Frames()
	}
	if fast.Skipped() != 0 || slow.Skipped() == 0 {
		t.Errorf("skipped: fast %d, slow %d", fast.Skipped(), slow.Skipped())
	}
	for range backlog {
		<-slow.Frames()
	}
	for len(slow.Frames()) == 0 {
		write(p, c.frame(t))
	}
	if f := <-slow.Frames(); !f.Key {
		t.Error("after a hole comes a picture that is no key frame")
	}
}

func TestPublisher_keepsNoMoreThanItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t, 1400)
		h := quietHub()
		p := publish(t, h, c)
		write(p, c.frame(t)) // the only key frame
		slices := c.film.Frames[1:clip.GOP]
		started := time.Now()
		for i := 0; time.Since(started) < maxGOPTime; i++ {
			if n := h.Cameras()[0].GOPFrames; n != i+1 {
				t.Fatalf("%d pictures are kept, want %d", n, i+1)
			}
			time.Sleep(time.Second / clip.FPS)
			packets, err := c.enc.Encode(slices[i%len(slices)].NALUs)
			if err != nil {
				t.Fatal(err)
			}
			for _, packet := range packets {
				packet.Timestamp = uint32((i + 1) * 6000)
			}
			write(p, packets)
		}
		if n := h.Cameras()[0].GOPFrames; n != 0 {
			t.Errorf("after 4 s without a key frame %d pictures are kept", n)
		}
		s, err := h.Subscribe(cam)
		if err != nil || len(s.Start) != 0 {
			t.Errorf("Start has %d pictures, %v", len(s.Start), err)
		}
	})
}

func TestHub_status(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t, 1400)
		h := quietHub()
		p := publish(t, h, c)
		for range 10 * clip.FPS {
			write(p, c.frame(t))
			time.Sleep(time.Second / clip.FPS)
		}
		leave := h.Join(cam)
		s := h.Cameras()[0]
		if !s.Live || s.Codec != H264 || s.Width != clip.Width || s.Height != clip.Height || s.Profile != "4d401f" && s.Profile != "4d001f" {
			t.Errorf("status %+v", s)
		}
		if s.FPS < 14 || s.FPS > 16 || s.BitsPS < 100_000 || s.BitsPS > 500_000 || s.Viewers != 1 || s.Frames != 150 || s.Lost != 0 {
			t.Errorf("figures %+v", s)
		}
		if age := time.Since(s.LastKey); age > 1100*time.Millisecond {
			t.Errorf("last key frame %v ago", age)
		}
		leave()
		time.Sleep(5 * time.Second)
		if s := h.Cameras()[0]; s.FPS != 0 || s.BitsPS != 0 || s.Viewers != 0 {
			t.Errorf("figures of a silent stream %+v", s)
		}
		p.Close()
		if s := h.Cameras()[0]; s.Live || s.Frames != 150 {
			t.Errorf("after the end %+v", s)
		}
	})
}

func TestHub_onePublisherUnlessItIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t, 1400)
		h := quietHub()
		ended := false
		first, err := h.Publish(cam, c.format(), func() { ended = true })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Publish(cam, c.format(), func() {}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second publisher: %v", err)
		}
		sub, err := h.Subscribe(cam)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(silence + time.Millisecond)
		second, err := h.Publish(cam, c.format(), func() {})
		if err != nil || !ended {
			t.Fatalf("taking over from a silent one: %v, ended %v", err, ended)
		}
		if _, open := <-sub.Frames(); open {
			t.Error("a receiver of the old one gets pictures")
		}
		first.Close() // late, and without harm to the second
		if _, err := h.Live(cam); err != nil {
			t.Errorf("the second one is gone: %v", err)
		}
		second.Close()
	})
}

func TestHub_demand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders []bool
		var changes atomic.Int32
		h := NewHub(func(_ string, wanted bool) { orders = append(orders, wanted) }, func(string) { changes.Add(1) })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		release, err := h.Want(ctx, cam)
		if !errors.Is(err, ErrOffline) {
			t.Fatalf("nobody published: %v", err)
		}
		release()
		release() // once is enough
		type result struct {
			release func()
			err     error
		}
		results := make(chan result, 2)
		for range 2 {
			go func() {
				r, err := h.Want(t.Context(), cam)
				results <- result{r, err}
			}()
		}
		synctest.Wait()
		p := publish(t, h, newCamera(t, 1400))
		for range 2 {
			r := <-results
			if r.err != nil {
				t.Fatal(r.err)
			}
			r.release()
		}
		p.Close()
		if want := []bool{true, false, true, false}; len(orders) != 4 || orders[0] != want[0] || orders[1] != want[1] || orders[2] != want[2] || orders[3] != want[3] {
			t.Errorf("orders %v, want %v", orders, want)
		}
		if changes.Load() != 2 {
			t.Errorf("%d changes, want 2: on and off", changes.Load())
		}
	})
}
