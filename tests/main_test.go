package tests

import (
	"os"
	"testing"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, os.Stdin, os.Stdout)) }
