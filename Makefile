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
	@echo 'make deps            installs what make check needs, where there is apt-get; make deps-all: what make check-all does'
	@echo 'make check           the tests, in less than a minute; in parts: check-schedule check-self check-header check-layers'
	@echo '                     check-symbols check-install check-man check-examples check-fault check-stress check-unit'
	@echo 'make check-all       all that there is, for hours, with a table in the end; TESTING.md tells of its parts:'
	@echo '                     check-compile check-format check-tidy check-onelock check-threads check-random check-exhaustive'
	@echo '                     check-planted check-fault-planted check-mutants check-checkers check-targets check-model'
	@echo '                     check-sanitize (check-tsan check-asan check-msan check-helgrind) check-coverage check-instructions'
	@echo 'make soak HOURS=8    random programs and real threads, a line a minute, until the time is over or something fails'
	@echo 'make bench           the benchmarks, beside a ring with a mutex and two condition variables (needs Google Benchmark)'
	@echo 'make bench-peers     the same scenarios beside other channel libraries; make deps-peers installs those'
	@echo 'make bench-compare BASE=revision     this tree beside another one of it'
	@echo 'make html            the manual as web pages, in $(BUILD)/html'
	@echo 'make install         installs to $$(DESTDIR)$$(PREFIX), here $(DESTDIR)$(PREFIX); make uninstall takes it back'
	@echo 'make clean           removes $(BUILD)/'
	@echo
	@echo 'Variables: CC, CXX, CFLAGS, LDFLAGS, BUILD (the folder to build in; another one for other flags), DESTDIR, PREFIX,'
	@echo 'libdir, includedir, mandir, WERROR=1; for the benchmarks BENCH, PEERS, RUNS, SECONDS, COMPARE (bench/README.md)'

# ---- The library ----------------------------------------------------------------------------------------------------

$(BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -Ilib -fPIC -fvisibility=hidden -DNDEBUG $(CFLAGS) -c -o $@ $<

# One object whose only global names are those of the header, so that a static library stays out of its program's way.  On
# i386 the compiler puts helpers of its own into groups, of which a program keeps one each: made local, ours must stay.
$(STATIC): $(LIB_OBJECTS)
	$(CC) $(CFLAGS) $(RELOCATABLE) -r -nostdlib -o $(BUILD)/duct.o $^
	$(OBJCOPY) --localize-hidden --remove-section=.group $(BUILD)/duct.o
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
# library is built anew for them, with its assertions; the tests themselves are compiled with less effort, which is most of the
# time of a check.  FLAVOUR(name, flags, runner's objects and libraries):
UNIT := $(sort $(wildcard test/unit/*.c test/contract/*.c))
FAULT := $(sort $(wildcard test/fault/*.c))
STRESS := $(patsubst test/stress/%.c,%,$(sort $(wildcard test/stress/*.c)))
FORK_RUNNER = test/support/fork_runner.c
# Tests read directories, whose inodes may be large.
TEST_FLAGS = $(COMMON) -D_FILE_OFFSET_BITS=64 -Ilib -Itest/support

# How the fault tests are linked stands in their header.  In two steps, so that the C library's calls of itself are not touched
# where it is linked statically.
WRAPS := $(shell sed -n 's/^ \*  *\(-Wl,--wrap=.*\)/\1/p' test/fault/faults.h)

define FLAVOUR
$(BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(TEST_FLAGS) $$(CFLAGS) $$(if $$(filter test/%,$$<),-O1) $(2) -c -o $$@ $$<

$(BUILD)/$(1)/tests: $(UNIT:%.c=$(BUILD)/$(1)/%.o) $(patsubst %.c,$(BUILD)/$(1)/%.o,$(LIB_SOURCES) test/support/support.c $(3))
	$$(CC) -pthread $(2) -o $$@ $$^ $(4)

$(BUILD)/$(1)/faults: $(patsubst %.c,$(BUILD)/$(1)/%.o,$(FAULT) $(LIB_SOURCES) test/support/support.c $(FORK_RUNNER))
	$$(CC) -r -nostdlib $$(WRAPS) -o $$@.rel $$^
	$$(CC) -pthread $(2) -Wl,-u,sched_yield -o $$@ $$@.rel

$(BUILD)/$(1)/stress/%: $(BUILD)/$(1)/test/stress/%.o $(LIB_SOURCES:%.c=$(BUILD)/$(1)/%.o)
	@mkdir -p $$(@D)
	$$(CC) -pthread $(2) -o $$@ $$^

-include $$(wildcard $(BUILD)/$(1)/lib/*.d $(BUILD)/$(1)/test/*/*.d)
endef

$(eval $(call FLAVOUR,criterion,,,-lcriterion))
$(eval $(call FLAVOUR,fork,-DFORK_RUNNER,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,onelock,-DFORK_RUNNER -DDUCT_ONE_LOCK,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,tsan,-DFORK_RUNNER -O1 -fsanitize=thread,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,asan,-DFORK_RUNNER -O1 -fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined,$(FORK_RUNNER),))
$(eval $(call FLAVOUR,msan,-DFORK_RUNNER -O1 -fno-omit-frame-pointer -fsanitize=memory,$(FORK_RUNNER),))

# gcc has no MemorySanitizer.
CLANG = clang-19
$(BUILD)/msan/%: CC = $(CLANG)
MSAN_PROGRAMS = $(BUILD)/msan/tests $(BUILD)/msan/faults $(patsubst %,$(BUILD)/msan/stress/stress_%,mix history broadcast combine)

# Some that wait beside some that compute, and what one prints together; then the runner, whose summary is the last line.
SIDE_BY_SIDE = $(MAKE) -O $(if $(findstring jobserver,$(MAKEFLAGS)),,-j3)

check:
	@$(SIDE_BY_SIDE) check-schedule check-examples check-fault check-self check-header check-layers check-symbols check-install \
		check-man check-stress
	@$(MAKE) check-unit

check-unit: $(BUILD)/criterion/tests
	$(BUILD)/criterion/tests --timeout 60 2>&1

check-fault: $(BUILD)/fork/faults
	test/fault/check-faults.sh $(BUILD)/fork/faults

EXPLORER = $(BUILD)/schedule/programs

$(EXPLORER): test/schedule/build.sh $(wildcard test/schedule/*.[ch] lib/*.[ch] include/*.h)
	CC='$(CC)' test/schedule/build.sh lib $(BUILD)/schedule

BROADCASTS = $(BUILD)/schedule/broadcasts

$(BROADCASTS): $(EXPLORER) ;

SOURCES = $(BUILD)/schedule/sources

$(SOURCES): $(EXPLORER) ;

# The same with all that a wait does before it sleeps: long pauses, yields, and what is learned about them.
SPINNER = $(BUILD)/schedule-spin/programs

$(SPINNER): test/schedule/build.sh $(wildcard test/schedule/*.[ch] lib/*.[ch] include/*.h)
	CC='$(CC)' test/schedule/build.sh lib $(BUILD)/schedule-spin -DDUCT_SPIN_ROUNDS=8 -DDUCT_SPIN_YIELDS=2

SPINNER_BROADCASTS = $(BUILD)/schedule-spin/broadcasts

$(SPINNER_BROADCASTS): $(SPINNER) ;

SPINNER_SOURCES = $(BUILD)/schedule-spin/sources

$(SPINNER_SOURCES): $(SPINNER) ;

check-schedule: $(EXPLORER) $(BROADCASTS) $(SOURCES)
	$(EXPLORER) random-listed 200 1
	$(EXPLORER) random 400 50 1
	EXPLORE_SHARE='0 3' $(EXPLORER) exhaustive 1
	EXPLORE_SHARE='0 12' $(EXPLORER) outcomes 2
	$(BROADCASTS) random-listed 100 1
	$(BROADCASTS) random 400 50 1
	EXPLORE_SHARE='0 4' $(BROADCASTS) exhaustive 1
	$(SOURCES) random-listed 50 1
	$(SOURCES) random 150 50 1
	EXPLORE_SHARE='0 12' $(SOURCES) exhaustive 1 2000

SELFTEST = $(BUILD)/schedule-self/selftest

$(SELFTEST): $(wildcard test/schedule/*.[ch] test/schedule/self/*.[ch] test/schedule/self/*.sh include/*.h)
	CC='$(CC)' test/schedule/self/build-self.sh test/schedule $(BUILD)/schedule-self

check-self: $(SELFTEST)
	$(SELFTEST)

check-stress: $(STRESS:%=$(BUILD)/fork/stress/%)
	$(BUILD)/fork/stress/stress_transfer 20000
	$(BUILD)/fork/stress/stress_mix 5000
	$(BUILD)/fork/stress/stress_history 60000
	$(BUILD)/fork/stress/stress_broadcast 20000
	$(BUILD)/fork/stress/stress_combine 5000
	$(BUILD)/fork/stress/stress_pipe 5000
	$(BUILD)/fork/stress/stress_idle 1

check-man: $(STATIC)
	test/manual/check-man.sh man include/duct.h $(STATIC) $(BUILD)/man $(CC)

check-header:
	test/project/check-header.sh $(CC) $(CXX)

check-format:
	clang-format --dry-run -Werror $(wildcard lib/*.[ch] bench/*.[ch]* bench/*/*.[ch]* examples/*.c examples/*/*.[ch] test/*/*.[ch] test/*/*/*.[ch])

check-layers:
	test/project/check-layers.sh

check-symbols: $(STATIC) $(SHARED)
	test/project/check-symbols.sh $(STATIC) $(SHARED)

check-install: all
	test/project/check-install.sh $(MAKE) $(CC)

EXAMPLE_CLIENTS = $(addprefix $(BUILD)/test/,http_raw http_hammer chat_rules chat_clients)

check-examples: examples $(EXAMPLE_CLIENTS)
	test/examples/check-examples.sh $(BUILD)/examples

$(BUILD)/test/%: test/examples/%.c test/examples/chat_server.h
	@mkdir -p $(@D)
	$(CC) $(COMMON) $(CFLAGS) -o $@ $<

# Address space layouts that ThreadSanitizer of this age cannot take are turned off for it.
PLAIN_LAYOUT := $(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ] && echo setarch -R)

check-sanitize: check-tsan check-asan check-msan check-helgrind

check-tsan: $(BUILD)/tsan/tests $(BUILD)/tsan/stress/stress_mix $(BUILD)/tsan/stress/stress_broadcast \
	$(BUILD)/tsan/stress/stress_combine $(BUILD)/tsan/stress/stress_pipe
	TEST_TIME_SCALE=10 TSAN_OPTIONS=halt_on_error=1 $(PLAIN_LAYOUT) $(BUILD)/tsan/tests
	$(PLAIN_LAYOUT) $(BUILD)/tsan/stress/stress_mix 5000
	$(PLAIN_LAYOUT) $(BUILD)/tsan/stress/stress_broadcast 20000
	$(PLAIN_LAYOUT) $(BUILD)/tsan/stress/stress_combine 20000
	$(PLAIN_LAYOUT) $(BUILD)/tsan/stress/stress_pipe 20000

check-asan: $(BUILD)/asan/tests $(BUILD)/asan/stress/stress_mix $(BUILD)/asan/stress/stress_broadcast \
	$(BUILD)/asan/stress/stress_combine
	TEST_TIME_SCALE=10 ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 $(BUILD)/asan/tests
	$(BUILD)/asan/stress/stress_mix 5000
	$(BUILD)/asan/stress/stress_broadcast 40000
	$(BUILD)/asan/stress/stress_combine 100000

# Needs clang-19 (CLANG).
check-msan: $(MSAN_PROGRAMS)
	TEST_TIME_SCALE=10 $(BUILD)/msan/tests
	TEST_TIME_SCALE=10 $(BUILD)/msan/faults
	$(BUILD)/msan/stress/stress_mix 5000
	$(BUILD)/msan/stress/stress_history 4000 all all
	$(BUILD)/msan/stress/stress_broadcast 20000
	$(BUILD)/msan/stress/stress_combine 20000

check-onelock: $(BUILD)/onelock/tests
	$(BUILD)/onelock/tests

# A short set, since valgrind runs one thread at a time: the order of locks and the use of pthreads (helgrind.supp).
check-helgrind: $(BUILD)/fork/tests
	for suite in $(HELGRIND_SUITES); do \
		TEST_TIME_SCALE=30 valgrind -q --tool=helgrind --suppressions=test/support/helgrind.supp --error-exitcode=99 $(BUILD)/fork/tests $$suite || exit; \
	done

HELGRIND_SUITES = close/ close_ handles/ cancel/ cancel_ select_crossing select_closed select_deadline select_cancel select_both \
	select_duplicates select_refill select_losers select_reuse select_ready broadcast_select broadcast_close replay \
	clock/ timer_reset timer_close event/ oneshot/serves

# ---- All layers of tests --------------------------------------------------------------------------------------------

# TESTING.md tells what each is for.  What several of them need is built first, on all cores.
check-all:
	$(MAKE) -s -j$$(nproc) check-all-build
	MAKE='$(MAKE)' test/check-all.sh $(BUILD) $(LAYERS)

check-all-build: all examples $(BUILD)/criterion/tests $(BUILD)/fork/tests $(BUILD)/fork/faults $(STRESS:%=$(BUILD)/fork/stress/%) \
	$(BUILD)/onelock/tests $(BUILD)/tsan/tests $(BUILD)/tsan/stress/stress_mix $(BUILD)/tsan/stress/stress_history \
	$(BUILD)/tsan/stress/stress_broadcast $(BUILD)/asan/stress/stress_broadcast $(BUILD)/tsan/stress/stress_pipe \
	$(BUILD)/tsan/stress/stress_combine $(BUILD)/asan/stress/stress_combine \
	$(BUILD)/asan/tests $(BUILD)/asan/faults $(BUILD)/asan/stress/stress_mix $(if $(LAYERS),,$(MSAN_PROGRAMS)) $(EXPLORER) $(SPINNER) $(INSTRUCTION_PATHS)

COMPILERS = gcc clang

check-compile:
	for cc in $(COMPILERS); do \
		$(MAKE) -s -j$$(nproc) BUILD=$(BUILD)/with-$$cc CC=$$cc WERROR=1 all examples $(BUILD)/with-$$cc/fork/tests \
			$(BUILD)/with-$$cc/fork/faults $(STRESS:%=$(BUILD)/with-$$cc/fork/stress/%) || exit; \
	done
	@echo 'summary: $(COMPILERS), no warnings'

check-tidy:
	clang-tidy --quiet lib/*.c -- -std=c11 -D_GNU_SOURCE -Iinclude -Ilib 2>/dev/null

check-threads: $(BUILD)/fork/tests $(STRESS:%=$(BUILD)/fork/stress/%) $(BUILD)/tsan/stress/stress_history
	$(BUILD)/fork/stress/stress_transfer 200000
	$(BUILD)/fork/stress/stress_mix 20000
	$(BUILD)/fork/stress/stress_broadcast 1000000
	$(BUILD)/fork/stress/stress_combine 333334
	$(BUILD)/fork/stress/stress_pipe 150000
	$(BUILD)/fork/stress/stress_idle 2
	TSAN_RUN='$(PLAIN_LAYOUT)' CC='$(CC)' test/stress/check-threads.sh $(BUILD)

# So many of the anycast ones, and a share of that of the others.
RANDOM_PROGRAMS = 100000

check-random: $(EXPLORER) $(SPINNER) $(BROADCASTS) $(SPINNER_BROADCASTS) $(SOURCES) $(SPINNER_SOURCES)
	test/schedule/explore.sh $(EXPLORER) random $(RANDOM_PROGRAMS) 50 1
	test/schedule/explore.sh $(SPINNER) random $$(($(RANDOM_PROGRAMS) / 25)) 50 2
	test/schedule/explore.sh $(BROADCASTS) random $$(($(RANDOM_PROGRAMS) * 12 / 100)) 50 1
	test/schedule/explore.sh $(SPINNER_BROADCASTS) random $$(($(RANDOM_PROGRAMS) / 50)) 50 2
	test/schedule/explore.sh $(SOURCES) random $$(($(RANDOM_PROGRAMS) * 8 / 100)) 50 1
	test/schedule/explore.sh $(SPINNER_SOURCES) random $$(($(RANDOM_PROGRAMS) / 100)) 50 2

check-exhaustive: $(EXPLORER) $(BROADCASTS) $(SOURCES)
	test/schedule/explore.sh $(EXPLORER) exhaustive 2
	test/schedule/explore.sh $(EXPLORER) outcomes 3
	test/schedule/explore.sh $(BROADCASTS) exhaustive 2 20000
	test/schedule/explore.sh $(SOURCES) exhaustive 2 4000

check-planted:
	CC='$(CC)' test/schedule/planted.sh

check-fault-planted:
	CC='$(CC)' test/fault/planted.sh

check-mutants:
	WORKERS=$$(nproc) test/mutants/mutants.sh $(BUILD)/mutants

# The checkers themselves, and mutants of them.
check-checkers: check-self
	CONFIG=test/schedule/self/mutants.conf WORKERS=$$(nproc) test/mutants/mutants.sh $(BUILD)/checkers

check-model:
	test/model/check-model.sh $(BUILD)/model

check-targets:
	test/targets/check-targets.sh $(BUILD)/targets

check-coverage:
	test/coverage/check-coverage.sh $(BUILD)/coverage

soak: $(EXPLORER) $(BROADCASTS) $(SOURCES) $(STRESS:%=$(BUILD)/fork/stress/%)
	test/soak.sh $(HOURS) $(dir $(EXPLORER)) $(BUILD)/fork/stress

HOURS = 8

deps:
	@if command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEPS); \
	else \
		echo 'no apt-get here; the tests want: $(DEPS)'; \
	fi

DEPS = libcriterion-dev g++ clang mandoc groff-base pkg-config curl wrk

# Also what check-all needs.
deps-all:
	@$(MAKE) -s deps DEPS='$(DEPS) $(MORE_DEPS)'

MORE_DEPS = libclang-rt-14-dev clang-format clang-tidy clang-19 libclang-rt-19-dev llvm-19 valgrind spin python3 libbenchmark-dev \
	gnuplot-nox qemu-user musl-tools gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu gcc-s390x-linux-gnu \
	gcc-i686-linux-gnu libc6-dev-arm64-cross libc6-dev-armhf-cross libc6-dev-riscv64-cross libc6-dev-s390x-cross \
	libc6-dev-i386-cross

# The other libraries of bench-peers.
deps-peers:
	@$(MAKE) -s deps DEPS='$(PEER_DEPS)'

PEER_DEPS = g++ python3 gnuplot-nox pkg-config golang-go rustc cargo librust-crossbeam-channel-dev librust-flume-dev \
	librust-tokio-dev libglib2.0-dev libapr1-dev libaprutil1-dev libtbb-dev libboost-dev libboost-thread-dev libconcurrentqueue-dev

# ---- Benchmarks -----------------------------------------------------------------------------------------------------

bench: $(BUILD)/bench/bench
	$(BUILD)/bench/bench --benchmark_min_time=0.1 --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true \
		--benchmark_report_aggregates_only=true --benchmark_out=$(BUILD)/bench/bench.json --benchmark_out_format=json $(BENCH)
	bench/plot.sh $(BUILD)/bench/bench.json $(BUILD)/bench/bench.svg

# Side by side with other channel libraries; those that are not installed are left out, with a line.
bench-peers: $(STATIC)
	CXX='$(CXX)' bench/peers/build.sh $(BUILD)/bench/peers $(STATIC)
	CXX='$(CXX)' PYTHONDONTWRITEBYTECODE=1 python3 bench/peers/run.py --pressure --bars bench/peers/bars.txt --out $(BUILD)/bench/peers \
		$(PEERS) $(BUILD)/bench/peers/programs/*

# This tree against another revision.
bench-compare:
	BUILD='$(BUILD)' MAKE='$(MAKE)' CC='$(CC)' CXX='$(CXX)' CFLAGS='$(CFLAGS)' bench/compare.sh '$(BASE)' $(RUNS) $(SECONDS) $(COMPARE)

RUNS = 11
SECONDS = 0.2

$(BUILD)/bench/bench: bench/bench.cc $(wildcard bench/*.h) $(STATIC)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -g -DNDEBUG -Wall -Wextra -pthread -Iinclude -o $@ $< $(STATIC) -lbenchmark

INSTRUCTION_PATHS = $(BUILD)/bench/instructions/paths

# Within one instruction, or 1 % for the fair selects; RECORD=1 writes the list anew.
check-instructions: $(INSTRUCTION_PATHS)
	CC='$(CC)' CFLAGS='$(CFLAGS)' bench/instructions/check-instructions.sh $(BUILD) $(INSTRUCTION_PATHS) $(if $(RECORD),--record)

$(INSTRUCTION_PATHS): bench/instructions/paths.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(COMMON) $(CFLAGS) $(LDFLAGS) -o $@ $< $(STATIC)

# ---- The rest -------------------------------------------------------------------------------------------------------

html:
	mkdir -p $(BUILD)/html
	for page in $(MAN_PAGES); do mandoc -Thtml -O man=%N.%S.html man/$$page > $(BUILD)/html/$$page.html || exit; done

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d)

.PHONY: all help html install uninstall clean examples demo deps deps-all deps-peers bench bench-peers bench-compare soak check \
	check-unit check-fault check-schedule check-self check-stress check-man check-header check-layers check-symbols check-install \
	check-examples check-sanitize check-tsan check-asan check-msan check-onelock check-helgrind check-planted check-fault-planted \
	check-format check-all check-all-build check-compile check-tidy check-threads check-random check-exhaustive check-mutants \
	check-checkers check-targets check-model check-coverage check-instructions
.DELETE_ON_ERROR:
.SECONDARY:
