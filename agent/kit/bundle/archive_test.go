package bundle_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/kit/bundle"
)

// part is an entry of an archive, as somebody who means no good writes it.
type part struct {
	name     string
	data     []byte
	mode     fs.FileMode
	compress bool
}

func zipOf(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		h := &zip.FileHeader{Name: p.name, Method: zip.Store}
		if p.compress {
			h.Method = zip.Deflate
		}
		if p.mode != 0 {
			h.SetMode(p.mode)
		}
		w, err := z.CreateHeader(h)
		must(t, err)
		_, err = w.Write(p.data)
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// parts are those of a good bundle.
func parts(t testing.TB) []part {
	t.Helper()
	content := files(t)
	raw, sig, err := bundle.Sign(manifest(content), key(t))
	must(t, err)
	return []part{
		{name: "manifest.json", data: raw}, {name: "manifest.sig", data: sig},
		{name: "01.png", data: content["01.png"]}, {name: "02.jpg", data: content["02.jpg"]}, {name: "03.txt", data: content["03.txt"]},
	}
}

func unpack(t testing.TB, raw []byte) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer func() { must(t, root.Close()) }()
	a, err := bundle.Read(bytes.NewReader(raw), int64(len(raw)), key(t).Public())
	if err != nil {
		return dir, err
	}
	return dir, a.Unpack(root, "hall-7")
}

func TestABundleTravels(t *testing.T) {
	content := files(t)
	m := manifest(content)
	raw, sig, err := bundle.Sign(m, key(t))
	must(t, err)
	var b bytes.Buffer
	must(t, bundle.Write(&b, raw, sig, m.Items, func(i bundle.Item) ([]byte, error) { return content[i.Path], nil }))
	dir, err := unpack(t, b.Bytes())
	must(t, err)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer func() { must(t, root.Close()) }()
	s, err := bundle.Load(root, "hall-7", key(t).Public())
	must(t, err)
	must(t, s.Check())
	if s.ID != bundle.ID(raw) || s.Manifest.Version != 7 {
		t.Errorf("%+v", s)
	}
	for _, i := range m.Items {
		if data, err := s.Read(i); err != nil || !bytes.Equal(data, content[i.Path]) {
			t.Errorf("%s: %v", i.Path, err)
		}
	}
}

// A file that is changed after it was unpacked is given to nobody.
func TestAChangedFileIsNotRead(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"changed": func(file string) error { return os.WriteFile(file, bytes.Repeat([]byte{'x'}, 62), 0o600) },
		"longer": func(file string) error {
			old, err := os.ReadFile(file)
			return errors.Join(err, os.WriteFile(file, append(old, '!'), 0o600))
		},
		"gone":     os.Remove,
		"a folder": func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) },
		"a link out": func(file string) error {
			return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file))
		},
		"a link in": func(file string) error {
			return errors.Join(os.Remove(file), os.Symlink("01.png", file))
		},
	} {
		dir, err := unpack(t, zipOf(t, parts(t)...))
		must(t, err)
		root, err := os.OpenRoot(dir)
		must(t, err)
		s, err := bundle.Load(root, "hall-7", key(t).Public())
		must(t, err)
		must(t, spoil(filepath.Join(dir, "hall-7", "03.txt")))
		if _, err := s.Read(s.Manifest.Items[2]); code(err) != bundle.CodeContent {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Check(); code(err) != bundle.CodeContent {
			t.Errorf("%s: %v", name, err)
		}
		must(t, os.WriteFile(filepath.Join(dir, "hall-7", "manifest.json"), []byte("{}"), 0o600))
		if _, err := bundle.Load(root, "hall-7", key(t).Public()); code(err) != bundle.CodeForged {
			t.Errorf("another manifest: %v", err)
		}
		must(t, root.Close())
	}
}

// Threat 18: of an archive that is no bundle nothing is written anywhere, and reading it takes little memory.
func TestThreat18EvilArchives(t *testing.T) {
	good := parts(t)
	with := func(n int, change func(*part)) []byte {
		list := append([]part{}, good...)
		change(&list[n])
		return zipOf(t, list...)
	}
	name := func(s string) []byte { return with(4, func(p *part) { p.name = s }) }
	plain := zipOf(t, good...)
	evil := map[string][]byte{
		"nothing": nil, "no archive": bytes.Repeat([]byte("PK"), 400), "cut short": plain[:len(plain)-7], "longer": append(bytes.Clone(plain), 'x'),
		"before it":       append([]byte("#!/bin/sh\n"), plain...),
		"up":              name("../03.txt"),
		"up by far":       name("../../../../../../../../etc/cron.d/x"),
		"absolute":        name("/etc/passwd"),
		"other slashes":   name(`..\..\03.txt`),
		"a drive":         name(`c:03.txt`),
		"a device":        name("con.txt"),
		"a stream":        name("03.txt:x"),
		"a folder":        name("x/03.txt"),
		"NUL":             name("03.txt\x00.sh"),
		"a bare folder":   with(4, func(p *part) { p.name, p.data = "03.txt/", nil }),
		"a link":          with(4, func(p *part) { p.mode, p.data = fs.ModeSymlink|0o777, []byte("/etc/passwd") }),
		"a device node":   with(4, func(p *part) { p.mode = fs.ModeDevice | 0o666 }),
		"twice":           zipOf(t, append(append([]part{}, good...), good[4])...),
		"twice, instead":  with(3, func(p *part) { *p = good[4] }),
		"undeclared":      zipOf(t, append(append([]part{}, good...), part{name: "04.txt", data: []byte("x")})...),
		"one missing":     zipOf(t, good[:4]...),
		"other order":     zipOf(t, good[0], good[1], good[3], good[2], good[4]),
		"manifest last":   zipOf(t, good[2], good[3], good[4], good[0], good[1]),
		"unsigned":        zipOf(t, append([]part{good[0]}, good[2:]...)...),
		"other content":   with(4, func(p *part) { p.data = bytes.Repeat([]byte{'x'}, len(p.data)) }),
		"other length":    with(4, func(p *part) { p.data = append(bytes.Clone(p.data), 'x') }),
		"compressed":      with(4, func(p *part) { p.compress = true }),
		"a bomb":          with(4, func(p *part) { p.compress, p.data = true, make([]byte, 20<<20) }),
		"a long manifest": with(0, func(p *part) { p.data = make([]byte, bundle.MaxManifest+1) }),
		"many entries": func() []byte {
			list := append([]part{}, good...)
			for i := range 70000 {
				list = append(list, part{name: fmt.Sprint(i)})
			}
			return zipOf(t, list...)
		}(),
		"says it has many": func() []byte {
			lies := bytes.Clone(plain)
			binary.LittleEndian.PutUint16(lies[len(lies)-12:], 65000)
			binary.LittleEndian.PutUint16(lies[len(lies)-14:], 65000)
			return lies
		}(),
		"says it has fewer": func() []byte {
			lies := bytes.Clone(plain)
			binary.LittleEndian.PutUint16(lies[len(lies)-12:], 4)
			return lies
		}(),
		"directory elsewhere": func() []byte {
			lies := bytes.Clone(plain)
			binary.LittleEndian.PutUint32(lies[len(lies)-6:], 0)
			return lies
		}(),
		"larger than it is": func() []byte {
			lies := bytes.Clone(plain)
			at := bytes.Index(lies, []byte("PK\x01\x02"))
			binary.LittleEndian.PutUint32(lies[at+20:], 1<<31)
			binary.LittleEndian.PutUint32(lies[at+24:], 1<<31)
			return lies
		}(),
	}
	if dir, err := unpack(t, plain); err != nil {
		t.Fatal(err)
	} else if names := tree(t, dir); names != "hall-7 hall-7/01.png hall-7/02.jpg hall-7/03.txt hall-7/manifest.json hall-7/manifest.sig" {
		t.Error(names)
	}
	for what, raw := range evil {
		dir, err := unpack(t, raw)
		if c := code(err); c != bundle.CodeForm && c != bundle.CodeContent {
			t.Errorf("%s: %v", what, err)
		}
		if left := tree(t, dir); left != "" {
			t.Errorf("%s: left %s", what, left)
		}
	}
}

// What is signed and not what its type says is refused, too: a centre can be wrong.
func TestSignedNonsenseIsRefused(t *testing.T) {
	content := files(t)
	content["01.png"] = []byte("<svg onload=alert(1)>")
	m := manifest(content)
	raw, sig, err := bundle.Sign(m, key(t))
	must(t, err)
	dir, err := unpack(t, zipOf(t, part{name: "manifest.json", data: raw}, part{name: "manifest.sig", data: sig},
		part{name: "01.png", data: content["01.png"]}, part{name: "02.jpg", data: content["02.jpg"]}, part{name: "03.txt", data: content["03.txt"]}))
	var e *bundle.Error
	if !errors.As(err, &e) || e.Code != bundle.CodeContent || e.Item != "01.png" || tree(t, dir) != "" {
		t.Errorf("%v, left %q", err, tree(t, dir))
	}
}

// What a power cut left does not stand in the way.
func TestUnpackingBeginsAnew(t *testing.T) {
	raw := zipOf(t, parts(t)...)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, bundle.Unfinished+"hall-7", "x"), 0o700))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer func() { must(t, root.Close()) }()
	a, err := bundle.Read(bytes.NewReader(raw), int64(len(raw)), key(t).Public())
	must(t, err)
	must(t, a.Unpack(root, "hall-7"))
	if names := tree(t, dir); strings.Contains(names, bundle.Unfinished) {
		t.Error(names)
	}
}

// tree lists what is below a directory.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			names = append(names, rel)
		}
		return err
	}))
	return strings.Join(names, " ")
}

func FuzzRead(f *testing.F) {
	k := key(f).Public()
	raw := zipOf(f, parts(f)...)
	f.Add(raw)
	f.Add(zipOf(f, part{name: "manifest.json", data: []byte("{}")}, part{name: "manifest.sig", data: []byte("x")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := bundle.Read(bytes.NewReader(data), int64(len(data)), k)
		if err == nil && (a.Manifest.Hall != hall || a.Manifest.Version != 7) {
			t.Errorf("nobody signed %+v", a.Manifest)
		}
	})
}
