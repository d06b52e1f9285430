#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether a change made Duct faster or slower: bench/compare.sh BASE [RUNS [SECONDS [OPTION...]]]
#
# The library of the revision BASE and that of the working tree are built with the same flags, those of this tree's Makefile;
# each is linked with the same benchmark program, this tree's; and run.py does all scenarios with both, in turn, so that the
# machine's moods meet both alike.  RUNS rounds (11) of SECONDS (0.2) for each scenario; OPTIONs are for run.py, such as
# --scenarios S1,S4.
#
# Says of each scenario "faster", "slower" or "same": different only if the medians differ by more than 5 % and by more than
# the spread of either.  With fewer than 5 rounds it says nothing of that.  The exit status is 1 if a scenario became slower or
# failed, 2 if there was nothing to compare.  The processor should have nothing else to do: a line says so if it has.
#
# In the environment: BUILD, the folder to build in; MAKE, CC, CXX and CFLAGS as for make.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
[ -n "${1:-}" ] || { echo 'usage: bench/compare.sh BASE [RUNS [SECONDS [OPTION...]]]' >&2; exit 2; }
commit=$(git -C "$root" rev-parse --verify --quiet "$1^{commit}") || { echo "compare.sh: no revision $1" >&2; exit 2; }
runs=${2:-11} seconds=${3:-0.2}
shift $(($# < 3 ? $# : 3))

mkdir -p "${BUILD:=$root/build}/compare"
work=$(cd "$BUILD/compare" && pwd)
case $work in
*[[:space:]]*) echo "compare.sh: make cannot build in a folder whose name has spaces: $work" >&2; exit 2 ;;
esac
trap 'rm -rf "$work/tree"' EXIT
trap 'exit 2' HUP INT TERM

# Times of files say nothing about another revision's objects: the base is built anew.
rm -rf "$work/tree" "$work/base-lib" "$work/base"
mkdir "$work/tree"
git -C "$root" archive "$commit" | tar -x -C "$work/tree"

build() # name, tree
{
	{
		${MAKE:-make} -s -C "$2" -f "$root/Makefile" BUILD="$work/$1-lib" ${CC:+"CC=$CC"} ${CFLAGS:+"CFLAGS=$CFLAGS"} \
			"$work/$1-lib/libduct.a" && INCLUDE=$2/include "$root/bench/peers/build.sh" "$work/$1" "$work/$1-lib/libduct.a" duct
	} >&2 || { echo "compare.sh: cannot build $1" >&2; exit 2; }
}
build base "$work/tree"
build this "$root"

git -C "$root" log -1 --format='base: %h %s' "$commit"
git -C "$root" log -1 --format='this: %h %s' HEAD
git -C "$root" diff --quiet HEAD -- lib include || echo '      with changes to lib/ or include/ that are not committed'
PYTHONDONTWRITEBYTECODE=1 python3 "$root/bench/peers/run.py" --compare --runs "$runs" --seconds "$seconds" --out "$work" "$@" \
	"base=$work/base/programs/duct" "this=$work/this/programs/duct"
