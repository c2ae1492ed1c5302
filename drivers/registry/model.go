package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"halledge/drivers/attached"
	"halledge/drivers/device"
)

// Model is one product that can be bought: models/<class>/<name>.yaml.
type Model struct {
	Name    string            `yaml:"-"` // the file's name without its ending
	Class   device.Class      `yaml:"class"`
	Driver  string            `yaml:"driver"`
	Brand   string            `yaml:"brand"`
	Title   string            `yaml:"title"`   // what people read
	Connect Line              `yaml:"connect"` // defaults of its line
	Options map[string]string `yaml:"options"`
	USB     []string          `yaml:"usb"` // numbers it is known to come with: VVVV:PPPP, or VVVV:* for all of its maker's
}

var usbForm = regexp.MustCompile(`^[0-9a-f]{4}:([0-9a-f]{4}|\*)$`)

// Comes reports how well n agrees with the numbers that the model is known to come with: 2 for its own, 1 for those of its maker's, 0
// for others.
func (m Model) Comes(n attached.Node) int {
	switch {
	case n.Vendor == "":
		return 0
	case slices.Contains(m.USB, n.Vendor+":"+n.Product):
		return 2
	case slices.Contains(m.USB, n.Vendor+":*"):
		return 1
	}
	return 0
}

// Line is what a model says about its serial line.
type Line struct {
	Baud   int    `yaml:"baud"`
	Parity string `yaml:"parity"`
	Flow   string `yaml:"flow"`
}

// At gives c with the model's defaults where c is silent.
func (m Model) At(c Connect) Connect {
	if c.Serial == "" {
		return c
	}
	if c.Baud == 0 {
		c.Baud = m.Connect.Baud
	}
	if c.Parity == "" {
		c.Parity = m.Connect.Parity
	}
	if c.Flow == "" {
		c.Flow = m.Connect.Flow
	}
	if c.Parity == none {
		c.Parity = ""
	}
	if c.Flow == none {
		c.Flow = ""
	}
	return c
}

// none written out is the same as nothing written.
const none = "none"

// Key names a model: two classes may have models of the same name.
type Key struct {
	Class device.Class
	Name  string
}

// Models are all known models.
type Models map[Key]Model

// LoadModels reads every models/<class>/<name>.yaml in fsys. Unknown keys and a class other than the folder's are errors; all are
// reported together, and the good models are given nevertheless.
func LoadModels(fsys fs.FS) (Models, error) {
	files, err := fs.Glob(fsys, "models/*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	models := make(Models, len(files))
	var problems []error
	for _, file := range files {
		m, err := loadModel(fsys, file)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file, err))
			continue
		}
		models[Key{m.Class, m.Name}] = m
	}
	return models, errors.Join(problems...)
}

func loadModel(fsys fs.FS, file string) (Model, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return Model{}, err
	}
	m := Model{Name: strings.TrimSuffix(path.Base(file), ".yaml")}
	if err := yaml.UnmarshalWithOptions(data, &m, yaml.Strict()); err != nil {
		return Model{}, err
	}
	switch folder := path.Base(path.Dir(file)); {
	case string(m.Class) != folder:
		return Model{}, fmt.Errorf("class %q stands in the folder %q", m.Class, folder)
	case m.Driver == "" || m.Title == "":
		return Model{}, errors.New("driver and title must be set")
	}
	for _, ids := range m.USB {
		if !usbForm.MatchString(ids) {
			return Model{}, fmt.Errorf("usb %q: want four hexadecimal digits of the maker, a colon, and four of the product or *", ids)
		}
	}
	return m, nil
}
