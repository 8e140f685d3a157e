# The commands that are not the build itself. Each needs its packages first:
# mk/deps.sh installs what is missing and is silent (and offline) otherwise.
# The rest runs in a second make, so that `make -j` cannot overtake it.

AGAIN = @$(MAKE) --no-print-directory
PYTHON ?= /usr/bin/python3
FUZZERS := $(patsubst src/%.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))
REPLAYS := $(patsubst src/%.c,$(BUILD)/replay/%,$(FUZZ_SOURCES))

.PHONY: deps deps-demo deps-test deps-develop
deps:
	@mk/deps.sh build demo test develop
deps-demo:
	@mk/deps.sh demo
deps-test:
	@mk/deps.sh test
deps-develop:
	@mk/deps.sh develop

.PHONY: demo
demo: deps-demo
	$(AGAIN) programs
	@QUILL_BIN=$(abspath $(BUILD))/bin $(PYTHON) tests/demo.py

# Tests. RUN passes options on to pytest: make test RUN='-k kill -x'.
.PHONY: test tests-built run-tests crash soak power
tests-built: programs $(TESTS) $(REPLAYS)
run-tests: tests-built
	@$(PYTHON) tests/run.py --build $(BUILD) $(RUN)
test: deps-test
	$(AGAIN) run-tests
crash: deps-test
	$(AGAIN) programs
	@QUILL_BIN=$(abspath $(BUILD))/bin CRASH_SECONDS=$${CRASH_SECONDS:-600} $(PYTEST) -q tests/test_kill.py
soak: deps-test
	$(AGAIN) programs
	@QUILL_BIN=$(abspath $(BUILD))/bin SOAK_SECONDS=$${SOAK_SECONDS:-1800} $(PYTEST) -q -s tests/test_soak.py
# Power cuts on ext4, xfs and btrfs; needs root.
power: deps-develop
	$(AGAIN) programs
	@QUILL_BIN=$(abspath $(BUILD))/bin POWER_IMAGES=$${POWER_IMAGES:-200} POWER_MESSAGES=$${POWER_MESSAGES:-300} \
		$(PYTEST) -q -s -p no:cacheprovider tests/power

# The same tests under the sanitizers, in a build directory of their own.
.PHONY: sanitize coverage
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
sanitize: deps-test
	$(AGAIN) BUILD=build-sanitize OPT=-O1 SAN='$(SANITIZERS)' run-tests

coverage: deps-develop
	-$(AGAIN) BUILD=build-coverage OPT=-O0 SAN='--coverage -fprofile-update=atomic' run-tests
	@mkdir -p build-coverage/html
	gcovr -r . --object-directory build-coverage -f src/ -e '.*_test\.c' -e '.*_fuzz\.c' \
		--html-details build-coverage/html/index.html --print-summary

# Fuzzers: one for each src/*/*_fuzz.c; corpora are in tests/corpus/<name>/.
# `make test` replays the corpora with a plain build of the same functions.
fuzz_libraries = $(filter $(LIBRARIES),$(firstword $(subst /, ,$(1)))) $(TEST_$(notdir $(1)))

define fuzz_rule
$(BUILD)/$(2)/$(1): $(BUILD)/obj/$(1).o $(3) $(call archives,$(call fuzz_libraries,$(1)))
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CC) $(LDFLAGS_ALL) $(4) -o $$@ $(BUILD)/obj/$(1).o $(3) -Wl,--start-group \
		$(call archives,$(call fuzz_libraries,$(1))) -Wl,--end-group \
		$(call system_libs,$(call packages,$(call fuzz_libraries,$(1))))
endef
$(foreach t,$(patsubst src/%.c,%,$(FUZZ_SOURCES)),$(eval $(call fuzz_rule,$(t),fuzz,,-fsanitize=fuzzer)))
$(foreach t,$(patsubst src/%.c,%,$(FUZZ_SOURCES)),$(eval $(call fuzz_rule,$(t),replay,$(BUILD)/replay/main.o)))

$(BUILD)/replay/main.o: tests/replay.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS)
fuzz: deps-develop
	$(AGAIN) BUILD=build-fuzz CC=clang OPT=-O1 SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzzers
	@mk/fuzz.sh build-fuzz $(FUZZ_SECONDS)

# Static checks: a clang build with its own warnings as errors, then the
# analysers. Each looks at every source file.
.PHONY: lint
C_FILES = $(wildcard src/*/*.c)
lint: deps-develop
	$(AGAIN) BUILD=build-clang CC=clang programs $(TEST_SOURCES:src/%.c=build-clang/test/%)
	@echo "  CPPCHECK"
	@cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --suppress=missingIncludeSystem --suppress=*:*_test.c \
		-D__GNUC__=12 -D_GNU_SOURCE -DQMAIL_HOME='"$(HOME_DIR)"' -I src -j 2 src
	@echo "  CLANG-TIDY"
	@printf '%s\n' $(filter-out %_test.c,$(C_FILES)) | xargs -P 2 -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- -std=gnu11 -D_GNU_SOURCE -iquote src -DQMAIL_HOME="\"$(HOME_DIR)\"" 2>/dev/null' lint
	@echo "  CLANG-FORMAT"
	@clang-format --dry-run -Werror $(C_FILES) $(wildcard src/*/*.h)
	@echo "  MANDOC"
	@mandoc -T lint -W warning man/*.[1-8]
	@$(PYTEST) -q -p no:cacheprovider tests/test_structure.py

# Speed against Postfix on this machine: see bench/bench.py; what a million waiting messages cost: bench/waiting.py.
.PHONY: bench bench-waiting
N ?=
bench: deps-demo
	$(AGAIN) programs
	@BENCH_BUILD=$(abspath $(BUILD)) $(PYTHON) bench/bench.py $(if $(N),--messages $(N)) $(BENCH)
bench-waiting: deps-test
	$(AGAIN) programs
	@QUILL_BIN=$(abspath $(BUILD))/bin $(PYTHON) bench/waiting.py $(if $(N),--messages $(N)) $(BENCH)

# "make setup check" is what qmail's instructions say: install, then compare
# owners and modes with what they should be.
PREFIX ?= /usr/local
SYSTEMD_DIR ?= /usr/lib
INTO = DESTDIR='$(DESTDIR)' HOME_DIR='$(HOME_DIR)'
.PHONY: install setup check install-systemd
install: programs
	@$(INTO) PREFIX='$(PREFIX)' mk/install.sh $(BUILD)/bin
setup: install
check: programs $(filter setup,$(MAKECMDGOALS))
	@$(INTO) mk/instcheck.sh $(BUILD)/bin
# Units for systemd, and the accounts and directories that it can make.
install-systemd:
	@$(INTO) mk/install-systemd.sh '$(SYSTEMD_DIR)'

# A Debian package in $(BUILD)/deb; and the test of it in a new Debian, which is kept in $(BUILD)/deb-root.
.PHONY: deb deb-check deps-package
VERSION ?=
deps-package:
	@mk/deps.sh package
deb: deps-package
	@mk/deb.sh $(BUILD)/deb $(VERSION)
deb-check: deps-package deps-test
	$(AGAIN) deb
	@mk/deb-check.sh $(BUILD)

.PHONY: format clean
format:
	clang-format -i $(wildcard src/*/*.[ch])

clean:
	rm -rf build build-sanitize build-coverage build-fuzz build-clang
