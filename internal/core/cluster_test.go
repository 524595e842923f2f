package core_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// tag puts tags on nodes, given as key, value, key, value.
func tag(t *testing.T, s *scene.Scene, id string, pairs ...string) {
	t.Helper()
	var tags []core.Tag
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, core.Tag{Key: pairs[i], Value: pairs[i+1]})
	}
	if err := s.Service.Tag(t.Context(), s.Caller, core.KindNode, []string{id}, tags); err != nil {
		t.Fatal(err)
	}
}

func TestClusters(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	begun := s.Now()
	one := s.Node("one")
	s.Node("two")
	s.Advance(time.Minute)
	three := s.Node("three")
	s.Node("free")
	s.Online(one, three)
	tag(t, s, "one", "cluster", "gpu", "env", "prod", "rack", "1")
	tag(t, s, "two", "env", "prod", "cluster", "gpu", "rack", "2")
	tag(t, s, "three", "cluster", "gpü")
	list := func(f core.ClusterFilter) []core.Cluster {
		t.Helper()
		rows, info, err := s.Service.Clusters(t.Context(), s.Caller, f, core.PageSpec{Limit: 10})
		if err != nil || info.Next != "" {
			t.Fatalf("%v, next %q", err, info.Next)
		}
		slices.SortFunc(rows, func(a, b core.Cluster) int { return cmp.Compare(a.Name, b.Name) })
		return rows
	}
	want := []core.Cluster{
		{
			ID: core.ClusterID(scene.Account, "gpu"), Name: "gpu", Nodes: 2, Online: 1, CreatedAt: begun, UpdatedAt: begun,
			Tags: []core.Tag{{Key: "env", Value: "prod"}},
		},
		{
			ID: core.ClusterID(scene.Account, "gpü"), Name: "gpü", Nodes: 1, Online: 1, CreatedAt: s.Now(), UpdatedAt: s.Now(),
			Tags: []core.Tag{},
		},
	}
	if diff := gocmp.Diff(want, list(core.ClusterFilter{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, f := range []struct {
		filter core.ClusterFilter
		want   []core.Cluster
	}{
		{core.ClusterFilter{IDs: []string{want[1].ID, "x"}}, want[1:]},
		{core.ClusterFilter{Tags: []core.Tag{{Key: "env", Value: "prod"}}}, want[:1]},
		{core.ClusterFilter{TagKeys: []string{"env"}}, want[:1]},
		{core.ClusterFilter{Tags: []core.Tag{{Key: "rack", Value: "1"}}}, []core.Cluster{}}, // only one of its nodes has it
		{core.ClusterFilter{ResourceGroup: "rg"}, []core.Cluster{}},
	} {
		if diff := gocmp.Diff(f.want, list(f.filter)); diff != "" {
			t.Errorf("filter %d (-want +got):\n%s", i, diff)
		}
	}

	for _, id := range []string{want[0].ID, "x"} {
		name, ok, err := s.Service.ClusterName(t.Context(), s.Caller, id)
		if err != nil || ok != (id == want[0].ID) || ok && name != "gpu" {
			t.Errorf("name of %s: %q, %v, %v", id, name, ok, err)
		}
	}
	nodes, err := s.Service.NodesOfClusters(t.Context(), s.Caller, []string{want[0].ID, want[0].ID})
	if diff := gocmp.Diff([]string{"two", "one"}, nodes); diff != "" || err != nil {
		t.Errorf("nodes: %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.Service.NodesOfClusters(t.Context(), s.Caller, []string{want[0].ID, "x"}); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("nodes of an unknown cluster: %v", err)
	}

	// A cluster goes with its last node, and another account never sees it.
	if _, err := s.Service.RemoveNode(t.Context(), s.Caller, "three"); err != nil {
		t.Fatal(err)
	}
	if got := list(core.ClusterFilter{}); len(got) != 1 {
		t.Errorf("%d clusters are left", len(got))
	}
	s.Caller.Account++
	if got := list(core.ClusterFilter{}); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
	if _, ok, err := s.Service.ClusterName(t.Context(), s.Caller, want[0].ID); ok || err != nil {
		t.Errorf("another account knows the name: %v, %v", ok, err)
	}
}

// TestClusterID never changes: scripts keep it.
func TestClusterID(t *testing.T) {
	t.Parallel()
	for _, id := range []struct {
		account core.AccountID
		name    string
		want    string
	}{
		{1, "gpu", "i69260540a9082318acc2e4"},
		{2, "gpu", ""},
		{1, "", ""},
	} {
		if got := core.ClusterID(id.account, id.name); len(got) != 23 || id.want != "" && got != id.want {
			t.Errorf("%d %q: %s", id.account, id.name, got)
		}
	}
}

// TestClusterPages walks through many clusters, while one comes and one goes.
func TestClusterPages(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	const total, page = 23, 5
	for i := range total {
		id := fmt.Sprint("n", i)
		s.Node(id)
		tag(t, s, id, "cluster", fmt.Sprint("c", i))
	}
	seen := map[string]int{}
	for p := (core.PageSpec{Limit: page, Count: true}); ; {
		rows, info, err := s.Service.Clusters(t.Context(), s.Caller, core.ClusterFilter{}, p)
		if err != nil || info.Total != total {
			t.Fatalf("%v, %d in all", err, info.Total)
		}
		for i := range rows {
			seen[rows[i].Name]++
		}
		if info.Next == "" {
			break
		}
		p.Token = info.Next
	}
	for i := range total {
		if n := seen[fmt.Sprint("c", i)]; n != 1 {
			t.Errorf("c%d is on %d pages", i, n)
		}
	}
	if rows, _, err := s.Service.Clusters(t.Context(), s.Caller, core.ClusterFilter{}, core.PageSpec{Limit: page, Offset: total - 2}); err != nil || len(rows) != 2 {
		t.Errorf("last two: %d, %v", len(rows), err)
	}
	if _, _, err := s.Service.Nodes(t.Context(), s.Caller, core.NodeFilter{}, core.PageSpec{Limit: 1, Token: clusterToken(t, s)}); !core.ReasonPageToken.Is(err) {
		t.Errorf("token in another listing: %v", err)
	}
}

func clusterToken(t *testing.T, s *scene.Scene) string {
	t.Helper()
	_, info, err := s.Service.Clusters(t.Context(), s.Caller, core.ClusterFilter{}, core.PageSpec{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return info.Next
}
