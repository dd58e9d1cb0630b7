package tidy

import (
	"fmt"
	"os"
	"path/filepath"
)

// pluginLink is where mage and webpack look for plugin.json, and where it points: there is only one copy, at the root.
const (
	pluginLink   = "src/plugin.json"
	pluginTarget = "../plugin.json"
)

// CheckLinks asks that what must be a symbolic link in the repository at root is one.
func CheckLinks(root string) error {
	name := filepath.Join(root, filepath.FromSlash(pluginLink))
	target, err := os.Readlink(name)
	if err != nil {
		return fmt.Errorf("%s must be a symbolic link to %s: %w", pluginLink, pluginTarget, err)
	}
	if filepath.ToSlash(target) != pluginTarget {
		return fmt.Errorf("%s points to %s, not to %s", pluginLink, target, pluginTarget)
	}
	if _, err := os.Stat(name); err != nil {
		return fmt.Errorf("%s leads nowhere: %w", pluginLink, err)
	}
	return nil
}
