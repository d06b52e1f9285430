#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Installing: everything arrives, a program outside the tree builds with pkg-config and runs, shared and static, and
# uninstalling leaves nothing behind.
#
#     check-install.sh MAKE CC      run from the top folder
set -u

make=${1:-make} cc=${2:-cc}
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
passed=0 failed=0

check() { # name, command
	name=$1
	shift
	if "$@" >"$root/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL install: $name"
		cat "$root/out"
	fi
}

# A destination that cannot be is refused before anything is touched.
refuses() {
	! "$make" --no-print-directory "$@"
}
check 'a DESTDIR with a space is refused' refuses install "DESTDIR=$root/a b" PREFIX=/usr
check 'a relative PREFIX is refused' refuses install "DESTDIR=$root/c" PREFIX=usr
check 'nothing came of it' test ! -e "$root/a" -a ! -e "$root/a b" -a ! -e "$root/c"

# Uninstalled from a place of its own it leaves folders that others may have made.
mkdir -p "$root/own/lib" "$root/own/share/man"
check 'make install to a prefix' "$make" --no-print-directory install "PREFIX=$root/own" "libdir=$root/own/lib/arch"
check 'duct.pc tells the folder' grep -q "^libdir=$root/own/lib/arch$" "$root/own/lib/arch/pkgconfig/duct.pc"
check 'make uninstall from a prefix' "$make" --no-print-directory uninstall "PREFIX=$root/own" "libdir=$root/own/lib/arch"
check 'no file is left' test -z "$(find "$root/own" -type f -o -type l)"
check 'the folders are' test -d "$root/own/share/man" -a ! -d "$root/own/lib/arch/cmake/duct"

dest=$root/dest
mkdir "$dest"
touch "$dest/neighbour"
check 'make install' "$make" --no-print-directory install "DESTDIR=$dest" PREFIX=/usr
for file in include/duct.h lib/libduct.a lib/libduct.so lib/pkgconfig/duct.pc share/man/man7/duct.7 share/man/man3/duct_send.3; do
	check "usr/$file is there" test -e "$dest/usr/$file"
done

cat >"$root/program.c" <<'END'
#include <duct.h>

int main(void)
{
	DUCT_AUTO_SENDER duct_sender *tx = NULL;
	DUCT_AUTO_RECEIVER duct_receiver *rx = NULL;
	int number = 42, got = 0;

	if (duct_anycast_open(&tx, &rx, sizeof number, 1, DUCT_OPTIONS(.name = "numbers")) != DUCT_OK)
		return 1;
	if (duct_send(tx, &number) != DUCT_OK || duct_recv(rx, &got) != DUCT_OK)
		return 1;
	return got != number;
}
END
if command -v pkg-config >/dev/null; then
	export PKG_CONFIG_PATH="$dest/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dest"
	export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
	check 'duct.pc is valid' pkg-config --validate duct
	check 'duct.pc has the version' test "$(pkg-config --modversion duct)" = "$(sed -n 's/^#define DUCT_VERSION "\(.*\)"/\1/p' include/duct.h)"
	flags=$(pkg-config --cflags --libs duct)
	# shellcheck disable=SC2086
	check 'a program builds, shared' "$cc" -std=c11 -o "$root/shared" "$root/program.c" $flags
	check 'it runs' env LD_LIBRARY_PATH="$dest/usr/lib" "$root/shared"
	check 'it wants the soname' sh -c "readelf -d '$root/shared' | grep -q 'libduct\.so\.[0-9]*\]'"
	# shellcheck disable=SC2086
	check 'a program builds, static' "$cc" -std=c11 -static -o "$root/static" "$root/program.c" $(pkg-config --static --cflags --libs duct)
	check 'it runs' "$root/static"
else
	echo 'skip install: no pkg-config'
	[ -z "${CI:-}" ] || failed=$((failed + 1))
fi

if command -v cmake >/dev/null; then
	mkdir "$root/cmake"
	cat >"$root/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(program C)
find_package(duct 0.1 REQUIRED)
add_executable(shared ../program.c)
target_link_libraries(shared duct::duct)
add_executable(static ../program.c)
target_link_libraries(static duct::duct-static)
END
	check 'a CMake project builds' sh -c "cmake -S '$root/cmake' -B '$root/cmake/build' -DCMAKE_C_COMPILER='$cc' \
		-DCMAKE_PREFIX_PATH='$dest/usr' && cmake --build '$root/cmake/build'"
	check 'it runs, shared' "$root/cmake/build/shared"
	check 'it runs, static' "$root/cmake/build/static"
else
	echo 'skip install: no cmake'
fi

check 'make uninstall' "$make" --no-print-directory uninstall "DESTDIR=$dest" PREFIX=/usr
check 'nothing is left' test "$(cd "$dest" && find . ! -name . | sort)" = ./neighbour
echo "install: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
