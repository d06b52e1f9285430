#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether the tests notice small mistakes in the library: test/mutants/mutants.sh [BUILD_DIR [NUMBER...]]
#
# mutants.py tells how.  CONFIG in the environment names another configuration than lib.conf, which has other sources mutated.
set -e
here=$(cd "$(dirname "$0")" && pwd)

for tool in python3 gcc objdump make; do
	if ! command -v $tool >/dev/null; then
		echo "mutants.sh: there is no $tool here"
		[ "${CI:-}" = true ] && exit 1
		echo '0 passed, 0 failed'
		exit 0
	fi
done

build=${1:-$here/../../build/mutants}
[ $# -gt 0 ] && shift
# The modules of a checkout are not for this program to write to.
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/mutants.py" "${CONFIG:-$here/lib.conf}" "$build" "$@"
