#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The header as its users meet it: included alone it compiles without a warning in every C and C++ it promises; typed ends
# refuse other types; the constants that are part of the binary interface are what they were.
#
#     check-header.sh CC CXX      run from the top folder; compilers that are not there are skipped with a line
set -u

cc=${1:-cc} cxx=${2:-c++}
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude -fsyntax-only'
c_warnings='-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual'
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

verdict() { # name, what was expected, what happened
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL header: $1"
	fi
}

compiles() { # compiler and flags; the source is standard input
	if "$@" - >"$work/out" 2>&1; then echo yes; else echo no; fi
}

alone() { # name, command
	name=$1
	shift
	verdict "$name: included alone" yes "$(echo '#include <duct.h>' | compiles "$@")"
}

typed() { # name, command
	name=$1
	shift
	prologue='#include <duct.h>
struct job { int id; };
struct other { int id; };
DUCT_TYPE(jobs, struct job);
DUCT_TYPE(numbers, int);
duct_status f(jobs_sender *tx, jobs_receiver *rx, numbers_receiver *nx);
duct_status f(jobs_sender *tx, jobs_receiver *rx, numbers_receiver *nx)
{
	struct job job = { 1 };
	struct other other = { 2 };
	int number = 0;
	double real = 0;
	duct_status status;
	(void)tx, (void)rx, (void)nx, (void)job, (void)other, (void)number, (void)real;'
	for body in 'yes status = jobs_send(tx, &job);' \
		'yes status = jobs_recv_until(rx, &job, 0, NULL);' \
		'yes status = numbers_recv(nx, &number);' \
		'yes duct_case two[2]; size_t i; two[0] = jobs_recv_case(rx, &job); two[1] = jobs_send_case(tx, &job); status = duct_select(two, 2, &i);' \
		'yes duct_case c = duct_recv_case(jobs_untyped_receiver(rx), &job); (void)c; status = DUCT_OK;' \
		'yes jobs_channel_close(jobs_sender_channel(tx), 1); status = DUCT_OK;' \
		'yes duct_receipt receipt; status = jobs_publish(tx, &job, &receipt, 0, NULL);' \
		'yes duct_subscription s = DUCT_SUBSCRIPTION_INIT; status = jobs_broadcast_open(&tx, &rx, &s, NULL);' \
		'yes status = jobs_subscribe(jobs_sender_channel(tx), &rx, NULL);' \
		'yes status = jobs_sender_subscribe(tx, &rx, NULL);' \
		'no status = jobs_publish(tx, &other, NULL, 0, NULL);' \
		'no status = jobs_sender_subscribe(tx, &nx, NULL);' \
		'no status = jobs_subscribe(jobs_sender_channel(tx), &nx, NULL);' \
		'no status = jobs_broadcast_open(&tx, &nx, NULL, NULL);' \
		'yes status = jobs_oneshot_open(&tx, &rx, NULL);' \
		'no status = jobs_oneshot_open(&tx, &nx, NULL);' \
		'no numbers_sender_channel(tx); status = DUCT_OK;' \
		'no status = jobs_send(tx, &other);' \
		'no status = jobs_try_send(tx, &real);' \
		'no status = jobs_recv(rx, &other);' \
		'no status = numbers_recv(nx, &real);' \
		'no status = jobs_recv(tx, &job);' \
		'no status = numbers_recv(rx, &number);' \
		'no status = jobs_send_many(tx, &other, 1, NULL, 0, NULL);' \
		'no duct_case c = jobs_recv_case(rx, &other); (void)c; status = DUCT_OK;'; do
		expected=${body%% *} statement=${body#* }
		verdict "$name: $statement" "$expected" \
			"$(printf '%s\n%s\nreturn status;\n}\n' "$prologue" "$statement" | compiles "$@")"
	done
}

binary_interface() { # command
	verdict "values of the binary interface" yes "$(compiles "$@" <<'END'
#include <duct.h>
#define SAME(value_, was_) _Static_assert((value_) == (was_), #value_)
SAME(DUCT_OK, 0);
SAME(DUCT_FULL, 1);
SAME(DUCT_EMPTY, 2);
SAME(DUCT_TIMEDOUT, 3);
SAME(DUCT_CANCELED, 4);
SAME(DUCT_CLOSED, 5);
SAME(DUCT_NO_RECEIVERS, 6);
SAME(DUCT_LAGGED, 7);
SAME(DUCT_INVALIDATED, 8);
SAME(DUCT_NOMEM, 9);
SAME(DUCT_INVALID, 10);
SAME(DUCT_UNSUPPORTED, 11);
SAME(DUCT_UNANSWERED, 12);
SAME(DUCT_BUSY, 13);
SAME(DUCT_FAIR, 0);
SAME(DUCT_PRIORITY, 1);
SAME(DUCT_READY, 2);
SAME(DUCT_KEEP_ALIVE, 1);
SAME(DUCT_LOG_BLOCKED, 1);
SAME(DUCT_LOG_RESUMED, 2);
SAME(DUCT_LOG_LOST, 3);
SAME(DUCT_LOG_CUT_OFF, 4);
SAME(DUCT_UNHEARD_OK, 0);
SAME(DUCT_UNHEARD_FAIL, 1);
SAME(DUCT_UNHEARD_WAIT, 2);
SAME(DUCT_DROP_OLDEST, 0);
SAME(DUCT_DROP_NEWEST, 1);
SAME(DUCT_LATEST_ONLY, 2);
SAME(DUCT_BLOCK, 3);
SAME(DUCT_CUT_OFF, 4);
SAME(DUCT_CAPACITY_DEFAULT, 50);
SAME(sizeof(duct_stats), 5 * sizeof(uint64_t));
SAME(sizeof(duct_receipt), 2 * sizeof(size_t));
SAME(DUCT_FOREVER, INT64_MAX);
SAME(sizeof(duct_case), 3 * sizeof(void *) + (sizeof(void *) == 8 ? 8 : 4));
END
)"
}

for compiler in $(printf "%s\n" "$cc" gcc clang | sort -u); do
	command -v "$compiler" >/dev/null || { echo "skip header: no $compiler"; continue; }
	for std in c99 c11 c17; do
		# shellcheck disable=SC2086
		alone "$compiler -std=$std" "$compiler" -x c -std=$std $warnings $c_warnings
	done
	# shellcheck disable=SC2086
	typed "$compiler -std=c99" "$compiler" -x c -std=c99 -Wall -Wextra -Wpedantic -Iinclude -fsyntax-only
	# shellcheck disable=SC2086
	binary_interface "$compiler" -x c -std=c11 $warnings
done
for compiler in $(printf "%s\n" "$cxx" g++ clang++ | sort -u); do
	command -v "$compiler" >/dev/null || { echo "skip header: no $compiler"; continue; }
	for std in c++11 c++14 c++17 c++20; do
		# shellcheck disable=SC2086
		alone "$compiler -std=$std" "$compiler" -x c++ -std=$std $warnings
	done
	for std in c++11 c++20; do
		typed "$compiler -std=$std" "$compiler" -x c++ -std=$std -Werror=old-style-cast -Werror=cast-qual -Iinclude -fsyntax-only
	done
	verdict "$compiler: a class that bytes cannot copy" no "$(printf '#include <duct.h>\n#include <string>\nDUCT_TYPE(texts, std::string);\n' |
		compiles "$compiler" -x c++ -std=c++17 -Iinclude -fsyntax-only)"
done
echo "header: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
