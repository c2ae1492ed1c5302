package pictures_test

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"halledge/firmware-protocols/qr"
	"halledge/test/pictures"
)

// seed makes the set that is looked at where nobody asks for another.
const seed = 1

// rate is the part of the pictures that must be read.
const rate = 0.97

// inTime is how long somebody who holds a code before a camera waits without noticing.
const inTime = 300 * time.Millisecond

// part is how many pictures of a kind one is looked at of. `make pictures SEEDS="7 8"` looks at all of as many sets as it is told.
const part = 5

// row is what one kind, or all, came to.
type row struct {
	name             string
	all, read, quick int             // pictures; read right; and that within inTime
	took             []time.Duration // of the processor, for each
	plain            int             // read right by the library alone
	plainTook        []time.Duration
}

// TestHardPictures reads photographs that are hard in many ways. All codes of a picture must be read, and never one that is not there.
func TestHardPictures(t *testing.T) {
	seeds, whole := seedsAsked(t)
	var rows, sets []*row
	for _, k := range pictures.Kinds() {
		rows = append(rows, &row{name: k.Name})
	}
	total := &row{name: "all"}
	var jobs []func()
	var mu sync.Mutex
	for _, seed := range seeds {
		set := &row{name: fmt.Sprintf("seed %d", seed)}
		sets = append(sets, set)
		for i, k := range pictures.Kinds() {
			for nr := range k.Count {
				if whole || nr%part == 0 {
					jobs = append(jobs, func() {
						p, err := k.Make(t.Context(), seed, nr)
						if err != nil {
							t.Error(err)
							return
						}
						look(t, p, seed, whole, &mu, rows[i], set, total)
					})
				}
			}
		}
	}
	inParallel(jobs)
	for _, r := range sets {
		if got := float64(r.read) / float64(r.all); got < rate {
			t.Errorf("%s: read %d of %d pictures: %.1f %%, less than %.0f %%", r.name, r.read, r.all, got*100, rate*100)
		}
	}
	t.Log("\n" + table(slices.Concat(rows, sets, []*row{total}), whole))
}

// TestDecoys looks at codes that say nothing and at what is none: nothing may be read there.
func TestDecoys(t *testing.T) {
	seeds, _ := seedsAsked(t)
	for _, seed := range seeds {
		for _, k := range pictures.Decoys() {
			for nr := range k.Count {
				p, err := k.Make(t.Context(), seed, nr)
				if err != nil {
					t.Fatal(err)
				}
				if got := texts(qr.Read(p.Gray, nil)); len(got) > 0 {
					t.Errorf("seed %d, %s %d: read %q; kept as %s", seed, k.Name, nr, got, keep(t, p, seed))
				}
			}
		}
	}
}

// seedsAsked gives the seeds whose sets are looked at, and whether they are looked at whole.
func seedsAsked(t *testing.T) (seeds []uint64, whole bool) {
	for _, f := range strings.Fields(os.Getenv("PICTURES")) {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			t.Fatalf("PICTURES: %v", err)
		}
		seeds = append(seeds, n)
	}
	if len(seeds) == 0 {
		return []uint64{seed}, false
	}
	return seeds, true
}

// inParallel runs jobs, one for every processor at a time.
func inParallel(jobs []func()) {
	var wg sync.WaitGroup
	todo := make(chan func(), len(jobs))
	for _, j := range jobs {
		todo <- j
	}
	close(todo)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range todo {
				j()
			}
		})
	}
	wg.Wait()
}

// look reads one picture and writes down what came of it.
func look(t *testing.T, p pictures.Picture, seed uint64, plain bool, mu *sync.Mutex, rows ...*row) {
	var sight qr.Sight
	took := processor(func() { sight = qr.Read(p.Gray, nil) })
	got, want := texts(sight), slices.Sorted(slices.Values(p.Want))
	var alone []string
	var aloneTook time.Duration
	if plain {
		aloneTook = processor(func() { alone = library(p.Gray) })
	}
	mu.Lock()
	defer mu.Unlock()
	for _, r := range rows {
		r.all++
		r.took, r.plainTook = append(r.took, took), append(r.plainTook, aloneTook)
		if slices.Equal(got, want) {
			r.read++
			if took <= inTime {
				r.quick++
			}
		}
		if len(alone) > 0 && slices.Contains(p.Want, alone[0]) {
			r.plain++
		}
	}
	if slices.Equal(got, want) {
		return
	}
	for _, text := range got {
		if !slices.Contains(p.Want, text) {
			t.Errorf("seed %d, %s %d: read %q, which is not there", seed, p.Kind, p.Nr, text)
		}
	}
	t.Logf("seed %d, %s %d: %d of %d codes read, shown %v; kept as %s", seed, p.Kind, p.Nr, len(got), len(p.Want), sight.Shown, keep(t, p, seed))
}

func texts(s qr.Sight) []string {
	var all []string
	for _, c := range s.Codes {
		all = append(all, c.Text)
	}
	slices.Sort(all)
	return all
}

// library reads a picture with gozxing alone, as hard as it tries.
func library(img *image.Gray) (found []string) {
	defer func() {
		if recover() != nil { // it does on some damaged codes
			found = nil
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(gozxing.NewLuminanceSourceFromImage(img)))
	if err != nil {
		return nil
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return nil
	}
	return []string{result.GetText()}
}

// processor gives the time of the processor that f takes: other programs of a busy machine do not count.
func processor(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const thread = 1 // RUSAGE_THREAD
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(thread, &u); err != nil {
			return 0
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}

// keep stores a picture for eyes; -artifacts says where.
func keep(t *testing.T, p pictures.Picture, seed uint64) string {
	name := filepath.Join(t.ArtifactDir(), fmt.Sprintf("%d-%s-%d.png", seed, strings.ReplaceAll(p.Kind, " ", "-"), p.Nr))
	f, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	if err := png.Encode(f, p.Gray); err != nil {
		t.Error(err)
	}
	return name
}

func table(rows []*row, whole bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s %9s %8s %11s %7s %7s", "pictures", "read", "", fmt.Sprintf("in %d ms", inTime.Milliseconds()), "p50 ms", "max ms")
	if whole {
		fmt.Fprintf(&b, "   %9s %7s %7s", "gozxing", "p50 ms", "max ms")
	}
	b.WriteByte('\n')
	for _, r := range rows {
		if r.all == 0 {
			continue
		}
		part := func(n int) float64 { return 100 * float64(n) / float64(r.all) }
		fmt.Fprintf(&b, "%-14s %4d/%4d %6.1f %% %9.1f %% %7d %7d", r.name, r.read, r.all, part(r.read), part(r.quick), at(r.took, 0.5), at(r.took, 1))
		if whole {
			fmt.Fprintf(&b, "   %7.1f %% %7d %7d", part(r.plain), at(r.plainTook, 0.5), at(r.plainTook, 1))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// at gives the time that a part of all stays below, in milliseconds.
func at(all []time.Duration, part float64) int64 {
	slices.Sort(all)
	return all[min(int(part*float64(len(all))), len(all)-1)].Milliseconds()
}
