package core

import "context"

// SelectedIDs are the ids of the nodes that a selection comes to now, for callers that keep nodes rather than expressions. One that comes to
// nothing, or not to all nodes that it spells out, is refused.
func (s *Service) SelectedIDs(ctx context.Context, c Caller, sel Selection) ([]string, error) {
	got, err := s.choose(ctx, c.Account, sel)
	about := []Node(nil)
	if err == nil {
		about = got.nodes
	}
	if denied := s.allowChosen(&c, "node.list", about); denied != nil {
		return nil, denied
	}
	if err == nil {
		err = got.check(s.nearby(ctx, c.Account))
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(got.nodes))
	for i := range got.nodes {
		ids[i] = got.nodes[i].ID
	}
	return ids, nil
}
