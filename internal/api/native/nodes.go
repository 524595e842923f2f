package native

import (
	"context"

	"errand/internal/core"
)

type nodePath struct {
	ID string `path:"id" json:"-"`
}

func (d *Dialect) rotateNodeKey(ctx context.Context, c core.Caller, req *nodePath) (*empty, error) {
	_, err := d.env.Service.RotateNodeKey(ctx, c, req.ID)
	return &empty{}, err
}

func (d *Dialect) removeNode(ctx context.Context, c core.Caller, req *nodePath) (*empty, error) {
	_, err := d.env.Service.RemoveNode(ctx, c, req.ID)
	return &empty{}, err
}
