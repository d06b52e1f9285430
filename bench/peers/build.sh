#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Builds the programs of the peers: bench/peers/build.sh BUILD_DIR LIBDUCT_A [NAME...]
#
# All of them, or those with these names, to BUILD_DIR/programs; the rest of BUILD_DIR is for work.  What is not installed here
# cannot be built: such a peer is left out with a line "skipped NAME: why", and that is no failure.  But duct and naive need
# nothing else: without one of them the status is 1.  Nothing is downloaded.
#
# A C++ program is a file here; its head says how it is linked, in lines
#
#     link: pkg-config NAME...   with what pkg-config says
#     link: ANYTHING ELSE        as it is
#
# and all are offered LIBDUCT_A, of which only duct takes something.  INCLUDE in the environment: another folder of its header.
#
# Go needs no more than itself.  Rust's crates come from the folder where Debian's packages have them; the compilers of the
# distribution go before others.  CXX, CXXFLAGS and LDFLAGS in the environment are for the C++ programs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/programs" "$1/work"
build=$(cd "$1" && pwd)
libduct=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
shift 2
programs=$build/programs work=$build/work
include=${INCLUDE:-$here/../../include}
registry=/usr/share/cargo/registry
status=0

skip() # name, reason
{
	rm -f "$programs/$1"
	case $1 in
	duct | naive) echo "cannot build $1: $2" >&2; status=1 ;;
	*) echo "skipped $1: $2" ;;
	esac
}

# The distribution's, else the first in PATH.
tool()
{
	if [ -x "/usr/bin/$1" ]; then
		echo "/usr/bin/$1"
	else
		command -v "$1"
	fi
}

# The line of a compiler's output that tells most.
first_error() # log
{
	{ grep -m 1 -i -E 'error|cannot find' "$1" || tail -n 1 "$1"; } | cut -c 1-160
}

# ---- C++ ----------------------------------------------------------------------------------------------------------------

# The compiler's words for all link lines of a program; fails with a reason.
link_words() # source
{
	sed -n 's/^ \* link: *//p' "$1" | while read -r kind rest; do
		case $kind in
		pkg-config)
			# shellcheck disable=SC2086 # several names
			pkg-config --exists $rest 2>/dev/null || { echo "pkg-config knows no $rest"; exit 1; }
			# shellcheck disable=SC2086 # several names
			printf '%s ' "$(pkg-config --cflags --libs $rest)"
			;;
		*)
			printf '%s ' "$kind $rest"
			;;
		esac
	done
}

# Whether a program is newer than all that it is made from.
is_built() # program, source
{
	[ -x "$1" ] && [ -z "$(find "$here/../"*.h "$here/"*.h "$2" "$here/build.sh" "$include" "$libduct" -newer "$1")" ]
}

build_cxx() # name
{
	source=$here/$1.cc
	is_built "$programs/$1" "$source" && return
	words=$(link_words "$source") || { skip "$1" "$words"; return; }
	# shellcheck disable=SC2086 # several words each
	${CXX:-c++} -std=c++17 -DNDEBUG ${CXXFLAGS:--O2 -g} -Wall -Wextra -pthread -I"$here/.." -I"$include" \
		-o "$programs/$1" "$source" "$libduct" $words ${LDFLAGS:-} >"$work/$1.log" 2>&1 || skip "$1" "$(first_error "$work/$1.log")"
}

# ---- Go -----------------------------------------------------------------------------------------------------------------

build_go()
{
	go=$(tool go) || { skip go 'there is no Go here (golang-go)'; return; }
	(
		cd "$here/go"
		GOFLAGS='' GOPROXY=off GOTOOLCHAIN=local GOWORK=off GOCACHE="$work/go-cache" \
			"$go" build -buildvcs=false -o "$programs/go" .
	) >"$work/go.log" 2>&1 || skip go "$(first_error "$work/go.log")"
}

# ---- Rust ---------------------------------------------------------------------------------------------------------------

# A crate whose package is installed becomes a feature; the others go from the copy of Cargo.toml.
choose_crate() # crate, version, channel
{
	if ls -d "$registry/$1-$2".* >/dev/null 2>&1; then
		features="$features$1,"
	else
		echo "skipped $3: no crate $1 $2 in $registry (librust-$1-dev)"
		without="$without|$1"
	fi
}

# Sources go to a copy, for cargo writes beside them.
copy_rust() # pattern of the crates to leave out
{
	rm -rf "$work/rust/src" "$work/rust/Cargo.lock"
	mkdir -p "$work/rust/.cargo"
	cp -R "$here/rust/src" "$work/rust/"
	grep -v -E "^($1) =" "$here/rust/Cargo.toml" >"$work/rust/Cargo.toml"
	cat >"$work/rust/.cargo/config.toml" <<-END
		[source.crates-io]
		replace-with = "packages"
		[source.packages]
		directory = "$registry"
	END
}

run_cargo() # features, log
{
	(
		cd "$work/rust"
		unset RUSTFLAGS RUSTC_WRAPPER CARGO_TARGET_DIR
		RUSTC=$rustc CARGO_HOME="$work/cargo-home" "$cargo" build --release --offline --features "$1"
	) >"$2" 2>&1 && cp "$work/rust/target/release/rust" "$programs/rust"
}

build_rust()
{
	if ! cargo=$(tool cargo) || ! rustc=$(tool rustc); then
		skip rust 'there is no cargo and rustc here'
		return
	fi
	features='' without='no crate'
	choose_crate crossbeam-channel 0.5 crossbeam
	choose_crate flume 0.10 flume
	choose_crate tokio 1 tokio
	copy_rust "$without"
	run_cargo "$features" "$work/rust.log" && return
	[ -z "$features" ] || echo "skipped ${features%,}, which do not build: $(first_error "$work/rust.log")"
	copy_rust 'crossbeam-channel|flume|tokio'
	run_cargo '' "$work/std.log" || skip rust "$(first_error "$work/std.log")"
}

# ---- All ----------------------------------------------------------------------------------------------------------------

if [ $# -eq 0 ]; then
	for source in "$here"/*.cc; do
		set -- "$@" "$(basename "$source" .cc)"
	done
	set -- "$@" go rust
fi
for name; do
	case $name in
	go) build_go ;;
	rust) build_rust ;;
	*) build_cxx "$name" ;;
	esac
done
exit $status
