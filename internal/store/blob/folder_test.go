package blob_test

import (
	"testing"

	"errand/internal/core"
	"errand/internal/store/blob"
	"errand/internal/store/storetest"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	storetest.RunBlobs(t, func(tb testing.TB) core.Blobs {
		f, err := blob.NewFolder(tb.TempDir())
		if err != nil {
			tb.Fatal(err)
		}
		return f
	})
}
