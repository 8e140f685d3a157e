# Quillmail. One word for each thing a developer does:
#
#   make            build everything into build/
#   make deps       install what is needed (Debian packages; needs root)
#   make demo       build, then show mail going through the system
#   make test       all tests
#   make crash      kill processes while mail flows, for ten minutes
#   make soak       mail of all kinds for half an hour: do the daemons grow?
#   make power      cut the power many times while mail flows (needs root)
#   make sanitize   unit and end-to-end tests under ASan and UBSan
#   make lint       cppcheck, clang-tidy and a clang build
#   make fuzz       run every fuzzer (FUZZ_SECONDS each)
#   make bench      speed against Postfix (needs root)
#   make bench-waiting   memory, restart and commands with a million waiting messages (N=100000: fewer)
#   make install    install into $(DESTDIR)$(HOME_DIR), with links in $(PREFIX)
#   make setup check   the same, then compare owners and modes
#   make install-systemd   install systemd units
#   make deb        a Debian package in build/deb; VERSION=x
#   make deb-check  build it, lintian, and install it in a new Debian (needs root)
#   make format     clang-format over src/
#   make coverage   line coverage of the tests
#   make clean
#
# What links what is in programs.mk.

HOME_DIR ?= /var/qmail
DESTDIR  ?=
BUILD    ?= build
CC       ?= gcc
OPT      ?= -O2
SAN      ?=
FUZZ_SECONDS ?= 60
PYTEST   ?= /usr/bin/python3 -m pytest

include programs.mk

WARN := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings -Wundef -Werror
HARDEN := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
ifneq ($(SAN),)
# Instrumented code cannot work inside a sandbox.
HARDEN := -fPIE -DSANDBOX_NULL
endif
CFLAGS_ALL := -std=gnu11 -D_GNU_SOURCE -iquote src -g $(OPT) $(WARN) $(HARDEN) $(SAN) \
	-DQMAIL_HOME='"$(HOME_DIR)"' $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) $(LDFLAGS)

# Sources of a folder: modules, without what is only for tests.
modules = $(sort $(filter-out %_test.c %_fuzz.c,$(wildcard src/$(1)/*.c)))
objects = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))

# A library with all it builds on, each before what it needs.
closure = $(1) $(foreach l,$(LIB_$(1)),$(call closure,$(l)))
archives = $(patsubst %,$(BUILD)/lib/lib%.a,$(sort $(foreach l,$(1),$(call closure,$(l)))))
packages = $(sort $(foreach l,$(sort $(foreach m,$(1),$(call closure,$(m)))),$(PKG_$(l))))
pkg_libs = $(if $(1),$$$$(pkg-config --libs $(1)))

# A program named in programs.mk exists once its folder has sources.
PROGRAMS := $(foreach p,$(patsubst PROG_%,%,$(filter PROG_%,$(.VARIABLES))),$(if $(wildcard src/$(p)/*.c),$(p)))
TEST_SOURCES := $(wildcard src/*/*_test.c)
TESTS := $(patsubst src/%.c,$(BUILD)/test/%,$(TEST_SOURCES))
FUZZ_SOURCES := $(wildcard src/*/*_fuzz.c)

.PHONY: all programs unit
all: programs
programs: $(patsubst %,$(BUILD)/bin/%,$(PROGRAMS) $(SCRIPTS))

$(patsubst %,$(BUILD)/bin/%,$(SCRIPTS)): $(BUILD)/bin/%: scripts/%
	@mkdir -p $(@D)
	@cp $< $@
	@chmod 755 $@

$(BUILD)/obj/%.o: src/%.c Makefile programs.mk
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define library_rule
$(BUILD)/lib/lib$(1).a: $(call objects,$(call modules,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach l,$(LIBRARIES),$(eval $(call library_rule,$(l))))

# libcdb has no pkg-config file.
system_libs = $(call pkg_libs,$(filter-out libcdb,$(1))) $(if $(filter libcdb,$(1)),-lcdb)

# Sanitizers need the shared C library.
link_flags = $(if $(SAN),$(LDFLAGS_ALL),$(if $(filter $(1),$(STATIC)),$(LDFLAGS_ALL:-pie=-static-pie),$(LDFLAGS_ALL)))

define program_rule
$(BUILD)/bin/$(1): $(call objects,$(call modules,$(1))) $(call archives,$(PROG_$(1)))
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CC) $(call link_flags,$(1)) -o $$@ $(call objects,$(call modules,$(1))) \
		-Wl,--start-group $(call archives,$(PROG_$(1))) -Wl,--end-group $(call system_libs,$(sort $(call packages,$(PROG_$(1))) $(PKG_PROG_$(1))))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# A unit test links its own folder's library (if it is one), what that builds
# on, what TEST_<name> names besides, and the library for tests.
test_libraries = $(filter $(LIBRARIES),$(firstword $(subst /, ,$(1)))) $(TEST_$(notdir $(1))) testing

define test_rule
$(BUILD)/test/$(1): $(BUILD)/obj/$(1).o $(call archives,$(call test_libraries,$(1)))
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CC) $(LDFLAGS_ALL) -o $$@ $(BUILD)/obj/$(1).o -Wl,--start-group \
		$(call archives,$(call test_libraries,$(1))) -Wl,--end-group \
		$(call system_libs,$(call packages,$(call test_libraries,$(1)))) -lcmocka
endef
$(foreach t,$(patsubst src/%.c,%,$(TEST_SOURCES)),$(eval $(call test_rule,$(t))))

unit: $(TESTS)
	@failed=0; for t in $(TESTS); do \
		$$t >$$t.log 2>&1 || { failed=1; cat $$t.log; }; \
	done; grep -hc '^\[       OK' $(TESTS:=.log) | awk '{n+=$$1} END {print "unit tests: " n " passed"}'; exit $$failed

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:

include mk/commands.mk
