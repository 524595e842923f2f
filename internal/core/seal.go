package core

import (
	"context"
	"fmt"
)

// seal makes sure that an output has a Seal, which it has unless an older version stored it; then its segments are read, once. The task must
// have been read with its output.
func (s *Service) seal(ctx context.Context, t *Task) error {
	if t.Output.known() {
		return nil
	}
	var (
		seal Seal
		end  uint64
		list = make([]Segment, len(t.Output.Segments))
	)
	for i, old := range t.Output.Segments {
		c, err := s.segment(ctx, t.ID, old)
		if err != nil {
			return err
		}
		if list[i], err = seal.extend(&c, end); err != nil {
			return fmt.Errorf("output of task %s: %w", t.ID, err)
		}
		end = list[i].End()
	}
	t.Output.Segments, t.Output.Seal = list, seal
	return s.store.ChangeTasks(ctx, []TaskID{t.ID}, func(row *Task) bool {
		// An output that goes on meanwhile is read again by whoever comes next.
		if row.Output.known() || len(row.Output.Segments) != len(list) {
			return false
		}
		row.Output.Segments, row.Output.Seal = list, seal
		return true
	})
}
