package tat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDescribeRegions lists the installation's own region before the vendor's.
func TestDescribeRegions(t *testing.T) {
	t.Parallel()
	r := newClient(t).call("DescribeRegions", `{}`)
	got := ok[describeRegionsResponse](r)
	want := []map[string]any{
		{"Region": "home", "RegionName": "home", "RegionState": "AVAILABLE"},
		{"Region": "ap-guangzhou", "RegionName": "Guangzhou", "RegionState": "AVAILABLE"},
	}
	if got.TotalCount != len(got.RegionSet) {
		t.Errorf("%d regions, %d in all", len(got.RegionSet), got.TotalCount)
	}
	rows := ok[struct{ RegionSet []map[string]any }](r).RegionSet
	if diff := cmp.Diff(want, rows[:2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, row := range rows {
		if row["RegionName"] == "" || row["RegionState"] != "AVAILABLE" {
			t.Errorf("region %v", row)
		}
	}
}
