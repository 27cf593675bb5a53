# The ways to build, test, try and install Troupe. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=

# One set of flags for every debug build, so that `make demo`, `make test` and `make lint` share one build.
WARNINGS := -Xswiftc -warnings-as-errors
RELEASE := -c release $(WARNINGS)
ifeq ($(shell uname -s),Linux)
# The standard library is linked in, so that the tool runs where Swift is not installed. lld, because the default linker
# warns of a function inside that library.
RELEASE += --static-swift-stdlib -Xswiftc -use-ld=lld
endif

# Arguments for `troupe demo`, `swift test`, the benchmark and the chaos run, as in `make demo DEMO='--orders 200 --seed 7'`.
DEMO ?=
TEST ?=
BENCH ?=
CHAOS ?=
MUTANTS ?=

SERVICES := demo-storefront demo-inventory demo-payments demo-shipping demo-notifications
GATEWAY := demo-gateway

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: dependencies
dependencies: ## Install what the build needs: librdkafka, SQLite, pkg-config
	@Scripts/install-dependencies

.PHONY: demo
demo: dependencies ## Run the demo services on an embedded broker and print the account (DEMO=--orders...)
	@for product in troupe $(SERVICES); do $(SWIFT) build $(WARNINGS) --product $$product; done
	.build/debug/troupe demo $(DEMO)

# Hundreds of tests at once, many with a broker and threads of their own, keep each other from their deadlines on a small
# machine. Each waits more than it works, so more than one a core.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 16

.PHONY: test
test: dependencies ## Run the tests on the embedded broker (TEST='--filter ...')
	$(SWIFT) test $(WARNINGS) $(TEST)

.PHONY: test-browser
test-browser: dependencies ## Test the dashboard in a headless Chromium, which is installed where it may be
	@Scripts/install-dependencies --browser
	$(SWIFT) test $(WARNINGS) --filter DashboardBrowserTests

.PHONY: build
build: dependencies ## Build the release: the tool is .build/release/troupe
	$(SWIFT) build $(RELEASE)
	@echo "The tool is .build/release/troupe"

.PHONY: install
install: build ## Install the tool and the demo services under PREFIX (default /usr/local)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install $(addprefix .build/release/,troupe $(SERVICES) $(GATEWAY)) "$(DESTDIR)$(PREFIX)/bin"

.PHONY: lint
lint: ## Check the format, the documentation of every public declaration, and the scripts
	@Scripts/lint

.PHONY: format
format: ## Format every Swift file in place
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Benchmarks Examples Package.swift

.PHONY: bench
bench: build ## Compare Troupe with plain C over librdkafka (BENCH='--pairs 7 --records 500000')
	Benchmarks/run $(BENCH)

.PHONY: bench-variants
bench-variants: build ## Measure what JSON, retries and waiting handlers cost, and growth (BENCH='--growth')
	Benchmarks/variants $(BENCH)

.PHONY: bench-flows
bench-flows: build ## Measure flows of four steps through four processes (BENCH='--delivery exactly-once')
	Benchmarks/flows $(BENCH)

.PHONY: chaos
chaos: dependencies ## Run services on a real Kafka while processes and brokers die (CHAOS='--short --seed 7')
	$(SWIFT) build $(RELEASE) --product ChaosService
	Benchmarks/chaos $(CHAOS)

.PHONY: bench-gateway
bench-gateway: build ## Post orders over HTTP at a rate, and hold 10,000 requests (BENCH='--seconds 10')
	Benchmarks/gateway $(BENCH)

.PHONY: bench-memory
bench-memory: build ## Show what a service keeps in memory: large records, a slow broker, a slow handler
	Benchmarks/memory

.PHONY: docs
docs: dependencies ## Build the documentation archives in .build/docs
	@Scripts/docs

.PHONY: test-asan
test-asan: dependencies ## Run the tests under AddressSanitizer
	@Scripts/test-asan $(TEST)

.PHONY: test-tsan
test-tsan: dependencies ## Run the tests of clients and engine under ThreadSanitizer
	@Scripts/test-tsan $(TEST)

# The seed is printed; FUZZ_SEED repeats a run.
FUZZ_DOCUMENTS ?= 1000000
FUZZ_SEED ?=

.PHONY: fuzz
fuzz: dependencies ## Compare EventJSON with Foundation on a million random documents (FUZZ_DOCUMENTS, FUZZ_SEED)
	EVENTJSON_FUZZ_DOCUMENTS=$(FUZZ_DOCUMENTS) EVENTJSON_FUZZ_SEED=$(or $(FUZZ_SEED),$(shell date +%s)) \
		$(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build/fuzz $(WARNINGS) \
		--filter EventJSONTests.FuzzTests

# In release: a debug build takes ten times as long.
.PHONY: model
model: dependencies ## Search the model of order through retries further than `make test` does, for five minutes
	TROUPE_MODEL=long $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build/fuzz $(WARNINGS) \
		--filter TroupeTests.RetryModelTests

.PHONY: test-newer-librdkafka
test-newer-librdkafka: dependencies ## Run the tests over a newer librdkafka (from PyPI's confluent-kafka)
	@Scripts/test-newer-librdkafka $(TEST)

.PHONY: mutants
mutants: dependencies ## Take each mechanism out and see a test fail (MUTANTS='name...')
	@Scripts/mutants $(MUTANTS)

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf .build Examples/*/.build
