package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHardware(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	gpu := func(model string) string { return "Model: \t\t " + model + "\nIRQ:   \t\t 42\n" }
	blocks := func(n int) map[string]string {
		files := map[string]string{
			"sys/devices/system/memory/block_size_bytes":   "8000000\n",
			"sys/devices/system/memory/auto_online_blocks": "online\n",
			"sys/devices/system/memory/memoryx/state":      "",
		}
		for i := range n {
			files[filepath.Join("sys/devices/system/memory", "memory"+string(rune('0'+i)), "state")] = "online\n"
		}
		return files
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		with  map[string]string
		want  hardware
	}{
		{
			"all of it",
			map[string]string{
				"sys/devices/system/cpu/online":                    "0-5,8\n",
				"proc/meminfo":                                     "MemFree: 1 kB\nMemTotal:         1000000 kB\n",
				"proc/driver/nvidia/gpus/0000:01:00.0/information": gpu("NVIDIA A100"),
				"proc/driver/nvidia/gpus/0000:00:00.0/information": gpu("NVIDIA H100"),
			},
			blocks(8),
			hardware{7, 8 * 128 * mib, []string{"NVIDIA H100", "NVIDIA A100"}},
		},
		{"few blocks", map[string]string{"sys/devices/system/cpu/online": "0", "proc/meminfo": "MemTotal: 1000000 kB"}, blocks(7), hardware{1, 1000000 << 10, nil}},
		{"many blocks", map[string]string{"sys/devices/system/cpu/online": "0", "proc/meminfo": "MemTotal: 500000 kB"}, blocks(8), hardware{1, 500000 << 10, nil}},
		{"no blocks", map[string]string{"sys/devices/system/cpu/online": "0-1", "proc/meminfo": "MemTotal: 8 kB"}, nil, hardware{2, 8 << 10, nil}},
		{"nonsense", map[string]string{"sys/devices/system/cpu/online": "3-1", "proc/meminfo": "MemTotal: x kB\nMemTotal:"}, nil, hardware{hardwareOf().cpus, 0, nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, files := range []map[string]string{tt.files, tt.with} {
				for name, text := range files {
					path := filepath.Join(root, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := hardwareBelow(root)
			if tt.name == "nonsense" {
				got.cpus = tt.want.cpus // as many as this process may use
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(hardware{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if h := hardwareOf(); h.cpus == 0 || h.memory == 0 {
		t.Errorf("this machine has %+v", h)
	}
}
