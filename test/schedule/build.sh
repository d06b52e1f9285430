#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Builds the schedule explorers, programs, broadcasts and sources: test/schedule/build.sh [LIB [OUT [CFLAGS...]]]
#
# LIB is the directory of the library's sources (lib), OUT the directory to build in (build/schedule); what follows goes to
# the compiler of the library, such as -DDUCT_ONE_LOCK.  The library is compiled with -fsanitize=thread, the explorer is not,
# and libtsan is not linked.  With ONLY="FILE.c..." in the environment only these sources of the library are compiled, the
# rest is in OUT from an earlier time.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
lib=${1:-$root/lib}
out=${2:-$root/build/schedule}
[ $# -gt 2 ] && shift 2 || shift $#

CC=${CC:-gcc}
common="-std=c11 -D_GNU_SOURCE -g -fno-pie -pthread -I$root/include"
instrumented="-O1 -fsanitize=thread -I$lib -Dmemcpy=race_memcpy -Dmemmove=race_memmove -Dmemset=race_memset"
case "$*" in
*-DDUCT_SPIN_*) ;;
*) instrumented="$instrumented -DDUCT_SPIN_ROUNDS=1 -DDUCT_SPIN_YIELDS=0" ;;
esac
wrapped="pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock
	pthread_cond_init pthread_cond_destroy pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait
	pthread_cond_signal pthread_cond_broadcast pthread_create pthread_join
	sched_yield sched_getaffinity clock_gettime malloc calloc realloc free aligned_alloc turn_next __assert_fail"
flags=
for f in $wrapped; do
	flags="$flags -Wl,--wrap=$f"
done

mkdir -p "$out"
[ -n "$ONLY" ] || rm -f "$out"/*.o
for f in ${ONLY:-$(cd "$lib" && echo *.c)}; do
	$CC $common $instrumented "$@" -c "$lib/$f" -o "$out/lib_${f%.c}.o"
done
common_parts="explorer race heap outcomes command"
programs_parts="oracle history listed generate shrink text program programs"
broadcasts_parts="broadcast_oracle broadcast_history broadcast_listed broadcast_generate broadcast_shrink broadcast_text
	broadcast_program broadcasts"
sources_parts="source_oracle source_listed source_generate source_shrink source_text source_run sources"
[ -n "$ONLY" ] || for f in $common_parts $programs_parts $broadcasts_parts $sources_parts; do
	$CC $common -O2 -Wall -Wextra -c "$root/test/schedule/$f.c" -o "$out/$f.o"
done

# In two steps, so that the C library's calls of itself are not wrapped where it is linked statically.
link_program() # NAME PARTS...
{
	name=$1
	shift
	objects=
	for part in "$@"; do
		objects="$objects $out/$part.o"
	done
	$CC -r -nostdlib $objects "$out"/lib_*.o $flags -o "$out/$name.rel"
	$CC -no-pie -pthread "$out/$name.rel" -o "$out/$name"
}

link_program programs $common_parts $programs_parts
link_program broadcasts $common_parts $broadcasts_parts
link_program sources $common_parts $sources_parts
