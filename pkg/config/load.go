package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"
)

const fileBytesMax = 1 << 20 // a configuration that is longer is some other file

// Sources is where Load looks. Flags may be nil: a plugin has none.
type Sources struct {
	Environ []string // as os.Environ returns it
	Open    func(name string) (fs.File, error)
	Flags   *Flags
}

// Load reads the sources over the defaults. On an error it returns the defaults, so that a plugin can go on to say what
// is wrong.
func Load(src Sources) (Config, error) {
	c, err := load(src)
	if err != nil {
		return Default(), err
	}
	return c, nil
}

func load(src Sources) (Config, error) {
	env, notes := readEnviron(src.Environ)
	c := Default()
	c.notes = notes

	c.ConfigFile = env.values["config_file"]
	if src.Flags != nil {
		if name, given := src.Flags.given["config_file"]; given {
			c.ConfigFile = name
		}
	}
	if c.ConfigFile != "" {
		if err := c.readFile(src.Open, env); err != nil {
			return Config{}, fmt.Errorf("config file %s: %w", c.ConfigFile, err)
		}
	}
	for _, s := range Settings() {
		if v, set := env.values[s.Key]; set {
			if err := s.set(&c, v); err != nil {
				return Config{}, fmt.Errorf("%s (%s in grafana.ini): %w", s.Env(), s.Ini(), err)
			}
		}
		if src.Flags == nil {
			continue
		}
		if v, given := src.Flags.given[s.Key]; given {
			if err := s.set(&c, v); err != nil {
				return Config{}, fmt.Errorf("--%s: %w", s.Flag(), err)
			}
		}
	}
	return c, c.Validate()
}

type environ struct {
	all    map[string]string
	values map[string]string // by key of the setting; only those that are not empty
}

// readEnviron picks our variables. An empty one counts as absent: a line "woodshed_listen =" in grafana.ini is how people
// leave a key open. An unknown one is a note, not an error: the process's environment may hold things from elsewhere.
func readEnviron(list []string) (environ, []string) {
	env := environ{all: map[string]string{}, values: map[string]string{}}
	keys := map[string]string{}
	names := []string{}
	for _, s := range Settings() {
		keys[s.Env()] = s.Key
		names = append(names, s.Ini())
	}
	var notes []string
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		env.all[name] = value
		if !strings.HasPrefix(name, EnvPrefix) || value == "" {
			continue
		}
		key, known := keys[name]
		if !known {
			ini := "woodshed_" + strings.ToLower(strings.TrimPrefix(name, EnvPrefix))
			notes = append(notes, fmt.Sprintf("%s (%s in grafana.ini) is not a setting and was ignored%s.", name, ini, didYouMean(ini, names)))
			continue
		}
		env.values[key] = value
	}
	return env, notes
}

func (c *Config) readFile(open func(string) (fs.File, error), env environ) error {
	f, err := open(c.ConfigFile)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the name is in the caller's words already
		}
		return err
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return err
	}
	if len(body) > fileBytesMax {
		return fmt.Errorf("longer than %s", Bytes(fileBytesMax))
	}
	return c.parse(string(body), func(name string) (string, bool) { v, ok := env.all[name]; return v, ok })
}

func (c *Config) parse(text string, lookup func(string) (string, bool)) error {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil // empty, or comments only
	case err != nil:
		return yamlError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one YAML document")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected keys with values", root.Line)
	}
	if err := checkKeys(root); err != nil {
		return err
	}
	if err := expandNode(root, lookup); err != nil {
		return err
	}
	return yamlError(root.Decode(c))
}

// yamlError removes the library's name and line breaks from its words.
func yamlError(err error) error {
	if err == nil {
		return nil
	}
	var typeErr *yaml.TypeError
	if errors.As(err, &typeErr) {
		return errors.New(strings.Join(typeErr.Errors, "; "))
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}
