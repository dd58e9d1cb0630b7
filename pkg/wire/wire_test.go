package wire

import "time"

func timeOf(ns int64) time.Time { return time.Unix(1700000000, ns).UTC() }
