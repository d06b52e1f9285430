#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Other processors, word sizes, byte orders and C libraries: test/targets/check-targets.sh [BUILD_DIR [TARGET...]]
#
#     aarch64   armhf (32 bits)   riscv64   s390x (big-endian)   i386 (32 bits)   musl
#
# For each: the library, the tests and the examples compile without a warning, and so does the header alone; the tests of the
# units, of the contract and of the faults pass; and the explorer runs 10,000 executions with every access to memory as a point,
# and 10,000 with atomics only, which must be the very ones that this machine has: as many steps, as many that came to rest
# early, as many histories.  (What is plain memory differs, for the calling conventions do.)  Its library is compiled
# without optimisation for that, since an optimiser decides by target which reads to leave out.  Last, every release of the
# library is compiled as a relaxed store, and the explorer has to find the race: it sees as well there as here.
#
# All is linked statically, since the libraries of the target need not be here.  What this machine cannot run itself is
# emulated by qemu's user mode.  That shows nothing of weak memory order, for the threads run on this machine's processor.
#
# A target without its compiler or its emulator is skipped or, where CI=true, fails.  The last line is "N passed, M failed",
# of targets; they go two at a time.  TEST_TIME_SCALE in the environment is how much longer tests may take, 20 by itself.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/targets}
[ $# -gt 0 ] && shift
mkdir -p "$build" || exit 1
build=$(cd "$build" && pwd)

seed=1
wrong_release='-U__ATOMIC_RELEASE -D__ATOMIC_RELEASE=__ATOMIC_RELAXED'
# Not in an emulator: threads that are started after a fork of many end it, and thousands of them take it minutes.
beyond_emulators=-fork/while_threads_sleep_leaves_both_working
slow_in_emulators=-nomem/in_every_function

# The prefix of the compiler, and what runs its programs.
describe() # target
{
	prefix='' compiler=gcc emulator=''
	case $1 in
	here) ;; # the same compiler as for the others: clang's executions differ
	aarch64) prefix=aarch64-linux-gnu- emulator=qemu-aarch64 ;;
	armhf) prefix=arm-linux-gnueabihf- emulator=qemu-arm ;;
	riscv64) prefix=riscv64-linux-gnu- emulator=qemu-riscv64 ;;
	s390x) prefix=s390x-linux-gnu- emulator=qemu-s390x ;;
	i386) prefix=i686-linux-gnu- emulator=qemu-i386 ;;
	musl) compiler=musl-gcc ;;
	*) return 1 ;;
	esac
	case $1-$(uname -m) in
	i386-x86_64 | aarch64-aarch64 | riscv64-riscv64 | s390x-s390x) emulator='' ;;
	esac
	compiler=$prefix$compiler
	out=$build/$1
}

missing()
{
	for tool in $compiler ${prefix:+${prefix}ar ${prefix}objcopy} $emulator; do
		command -v "$tool" || echo "no $tool" >&2
	done 2>&1 >/dev/null | head -n 1
}

# The kernel's headers, for an example that filters packets: musl-gcc does not look where they are.
kernel_headers()
{
	mkdir -p "$out/kernel"
	ln -sfn /usr/include/linux "$out/kernel/linux"
	ln -sfn /usr/include/asm-generic "$out/kernel/asm-generic"
	ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$out/kernel/asm"
	echo "-idirafter $out/kernel"
}

compile()
{
	more=
	[ "$compiler" = musl-gcc ] && more=$(kernel_headers)
	make -s -C "$root" CC="$compiler -static $more" AR="${prefix}ar" OBJCOPY="${prefix}objcopy" BUILD="$out" CFLAGS=-O2 WERROR=1 \
		"$out/fork/tests" "$out/fork/faults" examples || return 1
	for std in c99 c11 c17; do
		echo '#include <duct.h>' | "$compiler" -x c -std=$std -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual \
			-Wstrict-prototypes -Werror -I"$root/include" -fsyntax-only - || return 1
	done
}

# Runs a test program, and tells how many passed if all did.
tests() # program, which
{
	TEST_TIME_SCALE=${TEST_TIME_SCALE:-20} $emulator "$@" >"$out/log" 2>&1
	last=$(tail -n 1 "$out/log")
	case $last in
	[1-9]*' passed, 0 failed') echo "${last%% *}" ;;
	*) return 1 ;;
	esac
}

build_explorer() # folder, flags
{
	folder=$1
	shift
	CC="$compiler -static" "$root/test/schedule/build.sh" "$root/lib" "$out/$folder" -O0 "$@"
}

# What the totals say, but for the speed, and for the states of the oracle, whose memory hashes bytes in their order.
executions()
{
	$emulator "$out/schedule/programs" random 200 50 $seed >"$out/log" 2>&1 || return 1
	DUCT_PLAIN_POINTS=0 $emulator "$out/schedule/programs" random 200 50 $seed >"$out/log" 2>&1 || return 1
	sed -n '/^[0-9]* executions, /{s/,[^,]* a second, [^;]*//;s/, [0-9]* states$//;p;}' "$out/log"
}

explore()
{
	build_explorer schedule && executions >"$out/executions"
}

finds_a_race()
{
	rm -rf "$out/schedule-relaxed"
	cp -R "$out/schedule" "$out/schedule-relaxed"
	# shellcheck disable=SC2086
	ONLY=$(cd "$root/lib" && echo *.c) build_explorer schedule-relaxed -w $wrong_release || return 1
	$emulator "$out/schedule-relaxed/programs" random 200 50 $seed >"$out/log.race" 2>&1
	grep '^FAILED: data race' "$out/log.race" || { tail -n 3 "$out/log.race" && return 1; }
}

fails() # what
{
	echo "FAIL  $target: $1"
	tail -n 30 "$out/log" | sed 's/^/      /'
	return 1
}

check()
{
	which='' which_faults=''
	[ -z "$emulator" ] || which=$beyond_emulators which_faults=$slow_in_emulators
	compile >"$out/log" 2>&1 || { fails 'it does not build'; return; }
	# shellcheck disable=SC2086
	passed=$(tests "$out/fork/tests" $which) || { fails 'tests'; return; }
	# shellcheck disable=SC2086
	faulty=$(tests "$out/fork/faults" $which_faults) || { fails 'tests of faults'; return; }
	explore >"$out/log" 2>&1 || { fails 'the explorer'; return; }
	if ! diff "$build/here/executions" "$out/executions" >"$out/log"; then
		fails 'other executions (>) than here (<)'
		return
	fi
	finds_a_race >"$out/log" 2>&1 || { fails 'the explorer misses a race'; return; }
	echo "ok  $target  $passed tests and $faulty of faults passed; $(cut -d ';' -f 1 "$out/executions")"
}

# One target after the other.
lane()
{
	for target in "$@"; do
		describe "$target"
		mkdir -p "$out"
		began=$(date +%s)
		lacks=$(missing)
		if [ -n "$lacks" ] && [ "${CI:-}" = true ]; then
			echo "FAIL  $target: $lacks"
		elif [ -n "$lacks" ]; then
			echo "skip  $target: $lacks"
		else
			check && echo "      $target took $(($(date +%s) - began)) s"
		fi
	done
}

# The sum of what the verdicts say.
summary()
{
	awk '
		$1 == "ok" { targets++; tests += $3 + $6; executions += $10 }
		END { if (targets) printf "summary: %d tests, %d executions on %d targets\n", tests, 2 * executions, targets }' "$build/verdicts"
}

[ $# -gt 0 ] || set -- aarch64 armhf riscv64 s390x i386 musl
one='' other=''
for target in "$@"; do
	describe "$target" || { echo "no target $target" >&2; exit 2; }
	lengthened="$other $target" other=$one one=$lengthened
done
describe here
mkdir -p "$out"
explore >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
echo "here: $(cat "$out/executions")"
# shellcheck disable=SC2086
{
	lane $one &
	lane $other
	wait
} | tee "$build/verdicts"
passed=$(grep -c '^ok ' "$build/verdicts")
failed=$(grep -c '^FAIL ' "$build/verdicts")
summary
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && { [ "$passed" -gt 0 ] || [ "${CI:-}" != true ]; }
