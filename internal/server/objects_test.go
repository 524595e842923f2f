package server

import (
	"log/slog"
	"testing"

	"errand/internal/core"
	"errand/internal/deliver"
	"errand/internal/deliver/s3test"
)

func TestOpenObjects(t *testing.T) {
	t.Parallel()
	full := deliver.Config{Endpoint: "https://s3.example.com", AccessKey: "key", SecretKey: "secret"}
	for name, tt := range map[string]struct {
		change func(*deliver.Config)
		there  bool
		fails  bool
	}{
		"all":         {func(*deliver.Config) {}, true, false},
		"nothing":     {func(c *deliver.Config) { *c = deliver.Config{} }, false, false},
		"no endpoint": {func(c *deliver.Config) { c.Endpoint = "" }, false, true},
		"no secret":   {func(c *deliver.Config) { c.SecretKey = "" }, false, true},
		"no URL":      {func(c *deliver.Config) { c.Endpoint = "s3.example.com" }, false, true},
		"no CA file":  {func(c *deliver.Config) { c.CAFile = "/nowhere" }, false, true},
	} {
		c := Config{S3: full, Log: slog.New(slog.DiscardHandler)}
		tt.change(&c.S3)
		if o, err := openObjects(&c); (o != nil) != tt.there || (err != nil) != tt.fails {
			t.Errorf("%s: %v, %v", name, o, err)
		}
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t)
	store.CreateBucket(t, "there")
	o, err := openObjects(&Config{
		S3:  deliver.Config{Endpoint: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey, PathStyle: true},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sink        core.Sink
		check, find core.DeliveryFault
	}{
		{core.Sink{Bucket: "oss://there"}, core.NoFault, core.NoFault},
		{core.Sink{Bucket: "https://there.cos.example.com", Prefix: "a/b"}, core.NoFault, core.NoFault},
		{core.Sink{Bucket: "oss://missing"}, core.NoFault, core.FaultNoBucket},
		{core.Sink{Bucket: "oss://Not A Bucket"}, core.FaultNoBucket, core.FaultNoBucket},
		{core.Sink{Bucket: "oss://there", Prefix: "a/../b"}, core.FaultObjectName, core.FaultObjectName},
	} {
		if check, find := o.Check(tt.sink), o.Find(t.Context(), tt.sink); check != tt.check || find != tt.find {
			t.Errorf("%+v: %v, %v, want %v, %v", tt.sink, check, find, tt.check, tt.find)
		}
	}
}

// TestObjectNames: output of every origin has a name.
func TestObjectNames(t *testing.T) {
	t.Parallel()
	names := objectNames()
	for _, origin := range []core.Origin{core.OriginNative, core.OriginECS, core.OriginEFLO, core.OriginTAT, core.OriginZOS} {
		if names[origin] == nil {
			t.Errorf("nothing names the output of %s", origin)
		}
	}
}
