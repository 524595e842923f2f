package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// hardwareOf describes this machine.
func hardwareOf() hardware { return hardwareBelow("/") }

// hardwareBelow reads the kernel's files below a folder.
func hardwareBelow(root string) hardware {
	return hardware{cpus: processors(root), memory: installed(root), gpus: graphics(root)}
}

// processors counts those that are online, whichever of them this process may use.
func processors(root string) (n uint64) {
	for part := range strings.SplitSeq(firstLine(filepath.Join(root, "sys/devices/system/cpu/online")), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 32)
		to := from
		if isRange && err == nil {
			to, err = strconv.ParseUint(last, 10, 32)
		}
		if err != nil || to < from {
			return uint64(runtime.NumCPU())
		}
		n += to - from + 1
	}
	return n
}

// installed is the memory that the machine has. What the kernel calls the total is less, by what it keeps to itself, so that a machine of 64 GiB
// would have 62; the blocks in which memory is plugged in say it exactly, where there are any.
func installed(root string) uint64 {
	var total uint64
	for line := range strings.Lines(readText(filepath.Join(root, "proc/meminfo"))) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(fields[1], 10, 54)
			if err == nil {
				total = kib << 10
			}
		}
	}
	folder := filepath.Join(root, "sys/devices/system/memory")
	size, err := strconv.ParseUint(firstLine(filepath.Join(folder, "block_size_bytes")), 16, 48)
	if err != nil {
		return total
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return total
	}
	var blocks uint64
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "memory")
		if _, err := strconv.ParseUint(number, 10, 32); ok && err == nil {
			blocks++
		}
	}
	// A container may see few of them, and memory that is switched off has blocks as well.
	if all := blocks * size; all >= total && all <= total+total/4 {
		return all
	}
	return total
}

// graphics names the GPUs that NVIDIA's driver knows. The kernel has no names for others.
func graphics(root string) (models []string) {
	files, err := filepath.Glob(filepath.Join(root, "proc/driver/nvidia/gpus/*/information"))
	if err != nil {
		return nil
	}
	slices.Sort(files)
	for _, file := range files[:min(len(files), maxGPUs)] {
		for line := range strings.Lines(readText(file)) {
			if model, ok := strings.CutPrefix(line, "Model:"); ok {
				models = append(models, strings.TrimSpace(model))
			}
		}
	}
	return models
}

// readText returns a short file, or nothing.
func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}
