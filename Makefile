# Thin names over cargo and the scripts. `make help` lists them.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET_DIR)/release

.PHONY: build install uninstall dist demo test check-apple simulate faults fuzz mutants kill cancel bench bench-micro figures costs header abi-baseline clean help

build: ## target/release: cos-slice, cos-emulator, lib/libcos_slice.so, lib/libcos_slice.a
	@scripts/need.sh build
	$(CARGO) build --locked --release --package cos-slice --features cli --package cos-emulator --package cos-slice-manual --bins
	@rm -rf $(RELEASE)/share && $(RELEASE)/cos-slice-manual $(RELEASE)/share
# Last, and alone, so that the library has nothing in it that only the programs need.
	$(CARGO) rustc --locked --release --package cos-slice --lib --crate-type staticlib -- \
		--print native-static-libs="$(abspath $(RELEASE))/native-static-libs.txt"
# The shared library's own archive: one that is optimised as a whole can't be in one program with another of Rust, as the static
# library can.
	$(CARGO) rustc --locked --profile shared --package cos-slice --lib --crate-type staticlib
	@scripts/link.sh "$(abspath $(RELEASE))" "$(abspath $(TARGET_DIR))/shared/libcos_slice.a"

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/cos-slice
INSTALL = PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" DATADIR="$(DATADIR)" \
	MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" DESTDIR="$(DESTDIR)" scripts/install.sh

BUILT = scripts/built.sh "$(abspath $(RELEASE))" || $(MAKE) --no-print-directory build

install: ## PREFIX=/usr/local and DESTDIR=: programs, libraries, header, for pkg-config and CMake, man pages
	@$(BUILT)
	@$(INSTALL) install "$(abspath $(RELEASE))"

uninstall: ## with the same variables: removes what was installed, and nothing else
	@$(INSTALL) uninstall "$(abspath $(RELEASE))"

dist: ## build/cos-slice-VERSION-OS-ARCH.tar.gz: the same, to be unpacked anywhere
	@$(BUILT)
	@scripts/dist.sh "$(abspath $(RELEASE))"

demo: build ## a C program uploads a file, is killed in the middle, and resumes
	@scripts/demo.sh

test: ## everything that .ci/run checks
	@scripts/test.sh

check-apple: ## that the library compiles and links for Apple's systems, and what of its package is known without a Mac
	@scripts/check-apple-package.sh
	@scripts/check-apple.sh

SEEDS ?= 1000000
KILLS ?= 2000

simulate: ## SEEDS=n more seeds of the simulation than were ever run, into tests/ledger/simulation.json
	SIMULATION_SEEDS=$(SEEDS) $(CARGO) test --locked --release --test simulation -- --nocapture no_schedule

faults: ## every fault at every request, and every call of the programs failing: minutes
	@scripts/faults.sh

fuzz: ## libFuzzer on all targets for SECONDS=600 each, or on TARGET=name
	@scripts/fuzz.sh $(or $(SECONDS),600) $(TARGET)

mutants: ## every small change of protocol and upload, to be noticed by a test; ROOM=upload and PART=1/8 for less
	@scripts/mutants.sh $(ROOM) $(PART)

kill: build ## KILLS=n times kill -9 while uploading, into tests/ledger/kill.json
	$(CARGO) run --locked --release --package cos-slice-kill -- --kills $(KILLS) --ledger tests/ledger/kill.json

cancel: ## cancels uploads in every state, 1,000 times each, and adds how long they took to tests/ledger/cancel.json
	$(CARGO) run --locked --release --package cos-slice-cancel -- --ledger tests/ledger/cancel.json

bench: ## measures against the goals, into build/bench; SCENARIO=name and ROUNDS=n for less, PUBLISH=1 to show it in README.md
	@scripts/bench.sh $(if $(ROUNDS),--rounds $(ROUNDS)) $(addprefix --scenario ,$(SCENARIO)) $(if $(PUBLISH),--publish README.md)
	$(if $(PUBLISH),cp build/bench/results.md benches/results.md)

figures: ## bring the tables of docs up to date: with tests/ledger, and with the emulator's switches
	$(CARGO) run --locked --quiet --package cos-slice-ledger -- page docs/testing.md tests/ledger
	$(CARGO) run --locked --quiet --package cos-emulator --example page -- docs/emulator.md

costs: ## what a slice costs in calls, allocations and instructions, into tests/costs/figures.json
	@scripts/costs.sh renew

bench-micro: ## the pieces of a slice that the processor does: framing, signature, SHA-1, what to do next
	$(CARGO) bench --locked --package cos-slice-bench --bench micro

header: ## regenerate include/cos_slice.h
	$(CARGO) run --locked --package cos-slice-header

abi-baseline: ## what abi/N holds becomes what the header and the lists say, before a release
	@scripts/need.sh test
	@scripts/abi.sh baseline

clean: ## remove what was built
	$(CARGO) clean
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 19
