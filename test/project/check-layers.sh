#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# A file of the library includes headers of lower layers only (and its own).  The layers stand here, in ARCHITECTURE.md with
# their reasons; a file without a layer fails.
#
#     check-layers.sh      run from the top folder
set -u

layer() {
	case $1 in
	sync) echo 0 ;;
	clock | memory | hash | turn | ring | lesson | status | log | hooks) echo 1 ;;
	waiter | tour | box | agenda | table) echo 2 ;;
	queue | tray | batch | marks) echo 3 ;;
	cancel | spin | fan | source | tree) echo 4 ;;
	wait | dial | schedule | survey) echo 5 ;;
	channel | passage) echo 6 ;;
	resolve | notice) echo 7 ;;
	ends) echo 8 ;;
	anycast | broadcast | transfer | select) echo 9 ;;
	event | timer | scheduler | watcher | merge | steps) echo 9 ;;
	cache | bidi | exchange | pipe | relay) echo 10 ;;
	latest | stream) echo 11 ;;
	*) echo none ;;
	esac
}

passed=0 failed=0
for file in lib/*.c lib/*.h; do
	name=$(basename "$file" | sed 's/\..*//')
	own=$(layer "$name")
	if [ "$own" = none ]; then
		echo "FAIL layers: $file has no layer"
		failed=$((failed + 1))
		continue
	fi
	for included in $(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file"); do
		if [ "$included" != "$name" ] && ! [ "$(layer "$included")" -lt "$own" ]; then
			echo "FAIL layers: $file includes $included.h"
			failed=$((failed + 1))
		fi
	done
	passed=$((passed + 1))
done
echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
