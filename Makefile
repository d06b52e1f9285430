# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Duct.  `make help` tells what there is to make, and with which variables.

CC = cc
CXX = c++
CFLAGS = -O2 -g
PREFIX = /usr/local
DESTDIR =
BUILD = build
comma = ,

includedir = $(PREFIX)/include
libdir = $(PREFIX)/lib
mandir = $(PREFIX)/share/man

ifneq ($(words x$(DESTDIR)x$(includedir)x$(libdir)x$(mandir)x),1)
$(error DESTDIR and the folders to install to must not have spaces)
endif
ifneq ($(filter-out /%,$(PREFIX) $(includedir) $(libdir) $(mandir)),)
$(error PREFIX and the folders to install to must begin with a slash)
endif

VERSION := $(shell sed -n 's/^\#define DUCT_VERSION "\(.*\)"/\1/p' include/duct.h)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
COMMON = -std=c11 -D_GNU_SOURCE -pthread -Iinclude -MMD -MP $(WARNINGS)

LIB_SOURCES := $(sort $(wildcard lib/*.c))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
STATIC = $(BUILD)/libduct.a
SONAME = libduct.so.$(SOVERSION)
SHARED = $(BUILD)/libduct.so.$(VERSION)

all: $(STATIC) $(SHARED)

help:
	@echo 'make                 the static and the shared library, in $(BUILD)/'
	@echo 'make demo            serves the manual over HTTP with the example server, under load, for two seconds'
	@echo 'make examples        the programs in examples/'
	@echo 'make deps            installs what the tests need, where there is apt-get'
	@echo 'make check           the tests; in parts: check-unit check-fault check-stress check-schedule check-man'
	@echo '                     check-header check-symbols check-layers check-install check-examples'
	@echo 'make check-sanitize  the tests under ThreadSanitizer, AddressSanitizer with LeakSanitizer and UBSan, and helgrind'
	@echo 'make check-planted   plants bugs in copies of the library and sees that the schedule explorer finds them'
	@echo 'make bench           the benchmarks (needs Google Benchmark)'
	@echo 'make html            the manual as web pages, in $(BUILD)/html'
	@echo 'make install         installs to $$(DESTDIR)$$(PREFIX), here $(DESTDIR)$(PREFIX); make uninstall takes it back'
	@echo 'make clean           removes $(BUILD)/'
	@echo
	@echo 'Variables: CC, CXX, CFLAGS, LDFLAGS, BUILD (the folder to build in; another one for other flags), DESTDIR, PREFIX,'
	@echo 'libdir, includedir, mandir, WERROR=1'

# ---- The library ----------------------------------------------------------------------------------------------------

$(BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -Ilib -fPIC -fvisibility=hidden -DNDEBUG $(CFLAGS) -c -o $@ $<

# One object whose only global names are those of the header, so that a static library stays out of its program's way.
$(STATIC): $(LIB_OBJECTS)
	$(CC) $(CFLAGS) $(RELOCATABLE) -r -nostdlib -o $(BUILD)/duct.o $^
	$(OBJCOPY) --localize-hidden $(BUILD)/duct.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/duct.o

OBJCOPY = objcopy
RELOCATABLE = $(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel)

$(SHARED): $(LIB_OBJECTS) lib/duct.map
	$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--version-script=lib/duct.map -o $@ $(LIB_OBJECTS)
	ln -sf $(notdir $@) $(BUILD)/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/libduct.so

# ---- Installing -----------------------------------------------------------------------------------------------------

MAN_PAGES := $(notdir $(wildcard man/*.[37]))
INSTALLED = $(includedir)/duct.h $(libdir)/libduct.a $(libdir)/libduct.so $(libdir)/$(SONAME) \
	$(libdir)/$(notdir $(SHARED)) $(libdir)/pkgconfig/duct.pc $(libdir)/cmake/duct/duct-config.cmake \
	$(libdir)/cmake/duct/duct-config-version.cmake \
	$(foreach page,$(MAN_PAGES),$(mandir)/man$(subst .,,$(suffix $(page)))/$(page))

# From lib/%.in, with the places and the version filled in.
define INSTALL_FILLED
sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@INCLUDEDIR@|$(includedir)|' -e 's|@LIBDIR@|$(libdir)|' \
	-e "s|@INCLUDE_FROM_LIB@|$$(realpath -m --relative-to=$(libdir) $(includedir))|" -e 's|@VERSION@|$(VERSION)|' \
	lib/$(notdir $(1)).in > $(DESTDIR)$(1)
chmod 644 $(DESTDIR)$(1)
endef

install: all
	install -d $(sort $(dir $(addprefix $(DESTDIR),$(INSTALLED))))
	$(call INSTALL_FILLED,$(libdir)/pkgconfig/duct.pc)
	$(call INSTALL_FILLED,$(libdir)/cmake/duct/duct-config.cmake)
	$(call INSTALL_FILLED,$(libdir)/cmake/duct/duct-config-version.cmake)
	install -m 644 include/duct.h $(DESTDIR)$(includedir)/
	install -m 644 $(STATIC) $(DESTDIR)$(libdir)/
	install -m 755 $(SHARED) $(DESTDIR)$(libdir)/
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libduct.so
	for page in $(MAN_PAGES); do install -m 644 man/$$page $(DESTDIR)$(mandir)/man$${page##*.}/ || exit; done

# Below a DESTDIR the empty folders go too, for they are ours; in the system itself only the one that is Duct's alone.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	cd $(or $(DESTDIR),/) && rmdir $(if $(DESTDIR),-p $(sort $(patsubst /%/,%,$(dir $(INSTALLED)))),$(libdir)/cmake/duct) \
		2>/dev/null; true

# ---- Examples -------------------------------------------------------------------------------------------------------

# An example is a file in examples/, with what lies in the folder of its name.
EXAMPLES := $(patsubst examples/%.c,%,$(sort $(wildcard examples/*.c)))
EXAMPLE_PROGRAMS = $(EXAMPLES:%=$(BUILD)/examples/%)

examples: $(EXAMPLE_PROGRAMS)

.SECONDEXPANSION:
$(EXAMPLE_PROGRAMS): $(BUILD)/examples/%: examples/%.c $$(wildcard examples/$$*/*.[ch]) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(COMMON) -Iexamples/$* $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(STATIC)

demo: $(BUILD)/examples/demo $(BUILD)/examples/httpd
	$(BUILD)/examples/demo $(BUILD)/examples/httpd man

# ---- Tests ----------------------------------------------------------------------------------------------------------

# The same test sources run under Criterion and, where that cannot go, under a small runner of our own (test/support).  The
# library is built anew for them, with its assertions.  FLAVOUR(name, flags, runner's objects and libraries):
UNIT := $(sort $(wildcard test/unit/*.c test/contract/*.c))
FAULT := $(sort $(wildcard test/fault/*.c))
STRESS := $(patsubst test/stress/%.c,%,$(sort $(wildcard test/stress/*.c)))
TEST_FLAGS = $(COMMON) -Ilib -Itest/support

define FLAVOUR
$(BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(TEST_FLAGS) $$(CFLAGS) $(2) -c -o $$@ $$<

$(BUILD)/$(1)/tests: $(UNIT:%.c=$(BUILD)/$(1)/%.o) $(patsubst %.c,$(BUILD)/$(1)/%.o,$(LIB_SOURCES) test/support/support.c $(3))
	$$(CC) -pthread $(2) -o $$@ $$^ $(4)

$(BUILD)/$(1)/stress/%: $(BUILD)/$(1)/test/stress/%.o $(LIB_SOURCES:%.c=$(BUILD)/$(1)/%.o)
	@mkdir -p $$(@D)
	$$(CC) -pthread $(2) -o $$@ $$^

-include $$(wildcard $(BUILD)/$(1)/lib/*.d $(BUILD)/$(1)/test/*/*.d)
endef

FORK_RUNNER = test/support/fork_runner.c
$(eval $(call FLAVOUR,criterion,,,-lcriterion))
$(eval $(call FLAVOUR,fork,-DFORK_RUNNER,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,onelock,-DFORK_RUNNER -DDUCT_ONE_LOCK,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,tsan,-DFORK_RUNNER -O1 -fsanitize=thread,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,asan,-DFORK_RUNNER -O1 -fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined,$(FORK_RUNNER),))

check: check-header check-layers check-symbols check-install check-man check-examples check-fault check-schedule check-stress \
	check-unit

check-unit: $(BUILD)/criterion/tests
	$(BUILD)/criterion/tests --timeout 60 2>&1

# Names whose calls the fault tests can make fail.
WRAPPED = malloc calloc realloc free pthread_mutex_init pthread_mutex_destroy pthread_cond_init pthread_cond_destroy \
	pthread_condattr_init pthread_condattr_destroy sched_yield

$(BUILD)/fork/faults: $(patsubst %.c,$(BUILD)/fork/%.o,$(FAULT) $(LIB_SOURCES) test/support/support.c $(FORK_RUNNER))
	$(CC) -pthread $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^

check-fault: $(BUILD)/fork/faults
	$(BUILD)/fork/faults

check-schedule:
	CC='$(CC)' test/schedule/build.sh lib $(BUILD)/schedule >/dev/null
	$(BUILD)/schedule/programs random 400 50 1
	$(BUILD)/schedule/programs exhaustive 1

# Whether the explorer finds what it has to: ten minutes.
check-planted:
	test/schedule/planted.sh

check-stress: $(STRESS:%=$(BUILD)/fork/stress/%)
	$(BUILD)/fork/stress/stress_transfer 20000
	$(BUILD)/fork/stress/stress_mix 5000
	$(BUILD)/fork/stress/stress_history 20000
	$(BUILD)/fork/stress/stress_idle 1

check-man: $(STATIC)
	test/manual/check-man.sh man include/duct.h $(STATIC) $(BUILD)/man $(CC)

check-header:
	test/project/check-header.sh $(CC) $(CXX)

check-format:
	clang-format --dry-run -Werror $(wildcard lib/*.[ch] bench/*.[ch]* examples/*.c examples/*/*.[ch] test/*/*.[ch])

check-layers:
	test/project/check-layers.sh

check-symbols: $(STATIC) $(SHARED)
	test/project/check-symbols.sh $(STATIC) $(SHARED)

check-install: all
	test/project/check-install.sh $(MAKE) $(CC)

check-examples: examples $(BUILD)/test/http_raw $(BUILD)/test/http_hammer
	test/examples/check-examples.sh $(BUILD)/examples

$(BUILD)/test/%: test/examples/%.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) $(CFLAGS) -o $@ $<

# Address space layouts that ThreadSanitizer of this age cannot take are turned off for it.
PLAIN_LAYOUT := $(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ] && echo setarch -R)

check-sanitize: check-tsan check-asan check-helgrind

check-tsan: $(BUILD)/tsan/tests $(BUILD)/tsan/stress/stress_mix
	TEST_TIME_SCALE=10 TSAN_OPTIONS=halt_on_error=1 $(PLAIN_LAYOUT) $(BUILD)/tsan/tests
	$(PLAIN_LAYOUT) $(BUILD)/tsan/stress/stress_mix 5000

check-asan: $(BUILD)/asan/tests $(BUILD)/asan/stress/stress_mix
	TEST_TIME_SCALE=10 ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 $(BUILD)/asan/tests
	$(BUILD)/asan/stress/stress_mix 5000

check-onelock: $(BUILD)/onelock/tests
	$(BUILD)/onelock/tests

# A short set, since valgrind runs one thread at a time: the order of locks and the use of pthreads (helgrind.supp).
check-helgrind: $(BUILD)/fork/tests
	for suite in $(HELGRIND_SUITES); do \
		TEST_TIME_SCALE=30 valgrind -q --tool=helgrind --suppressions=test/support/helgrind.supp --error-exitcode=99 $(BUILD)/fork/tests $$suite || exit; \
	done

HELGRIND_SUITES = close/ handles/ select_crossing select_closed cancel/

deps:
	@if command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEPS); \
	else \
		echo 'no apt-get here; the tests want: $(DEPS)'; \
	fi

DEPS = libcriterion-dev g++ clang mandoc groff-base pkg-config curl wrk

# ---- Benchmarks -----------------------------------------------------------------------------------------------------

bench: $(BUILD)/bench/transfer
	$(BUILD)/bench/transfer --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true \
		--benchmark_report_aggregates_only=true

$(BUILD)/bench/%: bench/%.cc $(wildcard bench/*.h) $(STATIC)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -g -Wall -Wextra -pthread -Iinclude -o $@ $< $(STATIC) -lbenchmark

# ---- The rest -------------------------------------------------------------------------------------------------------

html:
	mkdir -p $(BUILD)/html
	for page in $(MAN_PAGES); do mandoc -Thtml -O man=%N.%S.html man/$$page > $(BUILD)/html/$$page.html || exit; done

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d)

.PHONY: all help html install uninstall clean examples demo deps bench check check-unit check-fault check-schedule \
	check-stress check-man check-header check-layers check-symbols check-install check-examples check-sanitize check-tsan \
	check-asan check-onelock check-helgrind check-planted check-format
.DELETE_ON_ERROR:
