#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The fault tests pass, and the tables of nomem_test.c, broadcast_test.c and forward_test.c call every function that the library exports.
#
#     check-faults.sh PROGRAM [LIB/DUCT.MAP]      run from the top folder
#
# The program tells by itself what it called, each function in the call itself: a form that is named after a function but
# calls another does not count.
set -e
program=$1 map=${2:-lib/duct.map}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

FAULT_TABLE=1 "$program" >"$work/out" || failed=$((failed + 1))
grep -v ' calls, .* fault points$' "$work/out" | sed 's/^[0-9]* fault points in /summary: &/' || true
awk '/ calls, .* fault points$/ { print $1 }' "$work/out" | sort -u >"$work/called"
sed -n 's/^[[:space:]]*\(duct_[a-z0-9_]*\);.*/\1/p' "$map" | sort -u >"$work/public"
[ -s "$work/public" ] || failed=$((failed + 1))
if ! diff "$work/public" "$work/called" >"$work/diff"; then
	failed=$((failed + 1))
	echo "FAIL faults: the library's functions (<) and those called with faults (>) differ:"
	cat "$work/diff"
fi
echo "faults: $((3 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
