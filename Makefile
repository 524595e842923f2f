SHELL       := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

FUZZTIME ?= 5s
BENCH    ?= .
SOAK     ?= 50
FAULTS   ?= 1h
SEED     ?= 0
TRANSFER ?= 1024

GOLANGCI_VERSION := v2.15.0
# Kept outside the tree, so that a fresh clone finds it, and apart for each
# version of Go, because a linter reads only what its own compiler could.
TOOLS         ?= $(HOME)/.cache/errand/tools
GOLANGCI_DIR  := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)-$(shell go env GOVERSION)
GOLANGCI_LINT := $(GOLANGCI_DIR)/golangci-lint

# The object store that tests of output delivery start; internal/deliver/s3test looks for it there.
VERSITYGW_VERSION := v1.8.0
VERSITYGW_DIR     := $(TOOLS)/versitygw-$(VERSITYGW_VERSION)-$(shell go env GOVERSION)
VERSITYGW         := $(VERSITYGW_DIR)/versitygw

# Makes the packages for Debian and RPM; internal/packagetest looks for it there too.
NFPM_VERSION := v2.48.0
NFPM_DIR     := $(TOOLS)/nfpm-$(NFPM_VERSION)-$(shell go env GOVERSION)
NFPM         := $(NFPM_DIR)/nfpm

# The clean Debian that internal/packagetest installs packages in. What scripts/debian-root puts there has the number in the name.
DEBIAN_ROOT := $(TOOLS)/debian-root-1

# A program under the race detector sleeps for a second before it ends, so that others may still report; the tests end thousands of them.
export GORACE ?= atexit_sleep_ms=0

NODE_STORIES := internal/api/apitest/node
NODE_STAMP   := $(patsubst %/package.json,%/node_modules/.installed,$(wildcard $(NODE_STORIES)/package.json))

# Where kill -9, cut cables and full disks are tested.
FAULT_TESTS := ./internal/stacktest/... ./internal/dispatch/... ./internal/agent/...

##@ Everyday

.PHONY: help
help: ## Print this help
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/errand, bin/errand-agent and its bin/errand-supervise, static
	CGO_ENABLED=0 go build -trimpath -o bin/errand ./cmd/errand
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ ./cmd/errand-agent ./cmd/errand-supervise

.PHONY: test
test: deps vet lint ## Install what is missing, then vet, lint and race-enabled tests of everything
	go test -race -count=1 -timeout=20m ./...

.PHONY: test-fast
test-fast: ## Run the tests that changed, without the race detector
	go test ./...

.PHONY: vet
vet: ## Run go vet
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Check style, formatting and who imports whom
	$(GOLANGCI_LINT) run ./...

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code and group its imports
	$(GOLANGCI_LINT) fmt ./...

.PHONY: reference
reference: ## Write docs/cli anew from the program
	rm -rf docs/cli
	go run ./cmd/errand reference markdown docs/cli

##@ At length

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (5s) each
	scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## Run the benchmarks that match BENCH (all)
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

.PHONY: faults
faults: ## Break a whole installation for FAULTS (1h), as SEED says (any); docs/faults.md
	go test -race -count=1 -timeout=0 -v -run='^TestCampaign$$' ./internal/stacktest/campaign -campaign.for=$(FAULTS) -campaign.seed=$(SEED)

.PHONY: soak
soak: ## Run the fault tests SOAK (50) times in shuffled order
	go test -race -count=$(SOAK) -shuffle=on -timeout=12h -failfast $(FAULT_TESTS)

.PHONY: transfer
transfer: ## Push and fetch TRANSFER (1024) MiB over connections that are cut
	ERRAND_TRANSFER_MIB=$(TRANSFER) go test -count=1 -v -timeout=1h -run 'TestTransferOverCutConnection' ./internal/stacktest

.PHONY: cross
cross: ## Check that the agent compiles for Windows and macOS, and vet it there
	@for os in windows darwin; do \
		echo "GOOS=$$os"; \
		GOOS=$$os CGO_ENABLED=0 go vet ./internal/agent/... ./cmd/errand-agent ./cmd/errand-supervise; \
	done

##@ Releases

VERSION ?= 0.1.0
ARCHS   ?= amd64 arm64

.PHONY: packages
packages: $(NFPM) ## Build deb, rpm and tar.gz of VERSION (0.1.0) into dist/, the same bytes each time
	NFPM=$(NFPM) scripts/packages $(VERSION) dist $(ARCHS)

##@ Housekeeping

.PHONY: deps
deps: programs $(GOLANGCI_LINT) $(VERSITYGW) $(NFPM) $(DEBIAN_ROOT) $(NODE_STAMP) ## Install what the tests need; Debian packages need root

.PHONY: programs
programs:
	@scripts/deps

$(GOLANGCI_LINT): | programs
	GOBIN=$(GOLANGCI_DIR) CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(VERSITYGW): | programs
	GOBIN=$(VERSITYGW_DIR) CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' \
		github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)

$(NFPM): | programs
	GOBIN=$(NFPM_DIR) CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)

$(DEBIAN_ROOT): | programs
	@mkdir -p $(TOOLS)
	@scripts/debian-root $@

# Exact versions stand in package.json. There is no lock file, because it would
# record the address of whichever registry filled it.
$(NODE_STAMP): $(NODE_STORIES)/package.json | programs
	cd $(NODE_STORIES) && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin dist $(NODE_STORIES)/node_modules
