#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Builds the test of the checkers: test/schedule/self/build-self.sh [CHECKERS [OUT [CFLAGS...]]]
#
# CHECKERS is the directory with explorer.c, race.c, heap.c and oracle.c (test/schedule), OUT the one to build in
# (build/schedule-self), whose selftest is the program; what follows goes to the compiler of the checkers.  As in build.sh the
# programs under test are compiled with -fsanitize=thread, the rest is not, and libtsan is not linked.  A mutant.c among the
# checkers, which a test of this test has put there, is linked as well.
# shellcheck disable=SC2015,SC2086 # words are split on purpose
set -e
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
checkers=${1:-$here/..}
out=${2:-$root/build/schedule-self}
[ $# -gt 2 ] && shift 2 || shift $#

CC=${CC:-gcc}
common="-std=c11 -D_GNU_SOURCE -g -fno-pie -pthread -Wall -Wextra -I$root/include -I$checkers -I$here"
instrumented="-O1 -fsanitize=thread -Dmemcpy=race_memcpy -Dmemmove=race_memmove -Dmemset=race_memset"
wrapped="pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock
	pthread_cond_init pthread_cond_destroy pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait
	pthread_cond_signal pthread_cond_broadcast pthread_create pthread_join
	sched_yield sched_getaffinity clock_gettime malloc calloc realloc free aligned_alloc __assert_fail
	explorer_asleep explorer_self"
# Clang leaves out allocations that it knows not to be used.
for f in malloc calloc realloc free aligned_alloc; do
	instrumented="$instrumented -fno-builtin-$f"
done
flags=
for f in $wrapped; do
	flags="$flags -Wl,--wrap=$f"
done

mkdir -p "$out"
rm -f "$out"/*.o
for f in explorer_programs race_programs heap_programs; do
	$CC $common $instrumented -c "$here/$f.c" -o "$out/$f.o"
done
for f in self explorer_test race_test oracle_test handwritten; do
	$CC $common -O2 -c "$here/$f.c" -o "$out/$f.o"
done
for f in explorer race heap oracle mutant; do
	[ ! -f "$checkers/$f.c" ] || $CC $common -O2 "$@" -c "$checkers/$f.c" -o "$out/checker_$f.o"
done
$CC -no-pie -pthread "$out"/*.o $flags -o "$out/selftest"
