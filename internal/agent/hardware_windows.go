package agent

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// hardwareOf describes this machine. What its GPU is called is not to be had without other programs.
func hardwareOf() hardware {
	h := hardware{cpus: uint64(runtime.NumCPU())}
	var kib uint64
	// https://learn.microsoft.com/en-us/windows/win32/api/sysinfoapi/nf-sysinfoapi-getphysicallyinstalledsystemmemory
	ask := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetPhysicallyInstalledSystemMemory")
	if ask.Find() != nil {
		return h
	}
	if ok, _, _ := ask.Call(uintptr(unsafe.Pointer(&kib))); ok != 0 { //nolint:gosec // how Windows is asked
		h.memory = kib << 10
	}
	return h
}
