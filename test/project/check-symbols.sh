#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The names the libraries give to their programs are exactly those that the header declares.
#
#     check-symbols.sh STATIC SHARED      run from the top folder
set -u

static=$1 shared=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

sed -n 's/^DUCT_API .*[ *]\(duct_[a-z_]*\)(.*/\1/p' include/duct.h | sort >"$work/header"
nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort >"$work/static"
nm -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/shared"
for library in static shared; do
	if ! diff "$work/header" "$work/$library" >"$work/diff"; then
		failed=$((failed + 1))
		echo "FAIL symbols: the header (<) and the $library library (>) differ:"
		cat "$work/diff"
	fi
done
# Global state: counters that begin at zero, and nothing a thread would have of its own.  Constants with addresses in them are
# written once, by the linker.
if objdump -t "$static" | awk '$3 == "O" && $4 ~ /^\.data/ && $4 !~ /^\.data\.rel\.ro/' | grep . >"$work/data"; then
	failed=$((failed + 1))
	echo "FAIL symbols: initialised global state:"
	cat "$work/data"
fi
if readelf -SW "$static" | grep -E '\.t(data|bss)'; then
	failed=$((failed + 1))
	echo "FAIL symbols: thread-local state"
fi
if nm -u "$static" | grep -E ' (printf|fprintf|puts|abort|exit|perror|rand|srand)$'; then
	failed=$((failed + 1))
	echo "FAIL symbols: the library prints, exits or uses shared generators"
fi
[ -s "$work/header" ] || failed=$((failed + 1))
echo "symbols: $((5 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
