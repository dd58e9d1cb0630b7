//go:build !invariant

package wire

// poison does its work under the build tag invariant only.
func (r *Request) poison() {}
