#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Checks the manual against the header, and runs its examples.
#
#     check-man.sh MAN_DIR HEADER LIBRARY BUILD_DIR [CC [CFLAGS...]]
#
# MAN_DIR     the pages, mdoc, named as they are installed: duct_send.3
# HEADER      duct.h; its folder is the include path of the examples
# LIBRARY     the static library that the examples are linked with; "-": they are compiled only
# BUILD_DIR   where extracted programs and results go; it is made if need be
# CC, CFLAGS  the compiler and its flags, sanitizers too; without them the variables CC and CFLAGS, or cc
#
# What is checked, one result for each line here and each page, function, status or reference:
#
#     lint        mandoc -Tlint -W warning says nothing, and groff -ww nothing.  Without mandoc (groff) this is skipped,
#                 unless the variable CI is set to anything: then it fails.
#     sections    those of a page stand in the project's order, and none that every page has is missing
#     functions   every function of the header has one page that names it in NAME, with the prototype of the header in
#                 SYNOPSIS, and stands in duct.7; NAME names nothing that the header does not have
#     names       every function, macro and constant that a page marks up is in the header
#     statuses    duct_strerror.3 has all of enum duct_status
#     references  a page that .Xr duct... points to exists
#     examples    EXAMPLES of every page has one program, which compiles without a warning as C11, ends within 10 seconds
#                 and exits with 0
#
# Prints a line for each failure, and at the end "N passed, M failed".  Exits with 0 if nothing failed.

set -u

if [ $# -lt 4 ]; then
	echo "usage: check-man.sh MAN_DIR HEADER LIBRARY BUILD_DIR [CC [CFLAGS...]]" >&2
	exit 2
fi
man_dir=$1 header=$2 library=$3 build=$4
shift 4
if [ $# -gt 0 ]; then
	CC=$1
	shift
	CFLAGS=$*
fi
CC=${CC:-cc}
CFLAGS=${CFLAGS:-}

mkdir -p "$build" || exit 2
results=$build/results
: >"$results" || exit 2
for input in "$header" "$man_dir/duct.7" "$man_dir/duct_strerror.3"; do
	[ -r "$input" ] || { echo "check-man.sh: cannot read $input" >&2; exit 2; }
done

# ---- Results --------------------------------------------------------------------------------------------------------------

pass()
{
	echo "pass $*" >>"$results"
}

fail()
{
	echo "FAIL $*" | tee -a "$results"
}

# Reads lines "pass ..." or "FAIL ...", as the awk programs below print them.
tally()
{
	tee -a "$results" | grep '^FAIL'
}

# A tool that is not there: its checks are skipped, but not in CI, where nobody would notice.
missing()
{
	if [ -n "${CI:-}" ]; then
		fail "$1 is not installed"
	else
		echo "skip $2: $1 is not installed"
	fi
}

indent()
{
	sed 's/^/    /' "$1"
}

# ---- Lint -----------------------------------------------------------------------------------------------------------------

# A linter has nothing to say: its output is empty, whatever its exit status (that of groff is always 0).
quiet()
{
	name=$1 page=$2
	shift 2
	if "$@" "$page" >"$build/lint" 2>&1 && [ ! -s "$build/lint" ]; then
		pass "$page: $name"
	else
		fail "$page: $name"
		indent "$build/lint"
	fi
}

check_lint()
{
	if command -v mandoc >/dev/null 2>&1; then
		for page in "$man_dir"/*.[0-9]; do
			quiet mandoc "$page" mandoc -Tlint -W warning
		done
	else
		missing mandoc lint
	fi
	if command -v groff >/dev/null 2>&1; then
		for page in "$man_dir"/*.[0-9]; do
			quiet groff "$page" groff -mdoc -ww -z -Tutf8
		done
	else
		missing groff lint
	fi
}

# ---- What the header has --------------------------------------------------------------------------------------------------

# The prototypes, one a line: "duct_now<tab>duct_time duct_now(void)".
header_functions()
{
	awk '
	/^DUCT_API/ { taking = 1 }
	/^DUCT_UNUSED static inline .* duct_[a-z_]*[a-z]\(.*\)$/ { taking = 1; $0 = $0 ";" }
	taking {
		text = text " " $0
		if ($0 !~ /;/)
			next
		gsub(/DUCT_API|DUCT_MUST_CHECK|DUCT_UNUSED static inline|;.*/, "", text)
		gsub(/[ \t]+/, " ", text)
		gsub(/\* /, "*", text)
		sub(/^ /, "", text)
		name = text
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		print name "\t" text
		text = ""
		taking = 0
	}' "$header"
}

header_statuses()
{
	awk '/^typedef enum duct_status/ { taking = 1; next } /^}/ { taking = 0 }
	taking && match($0, /DUCT_[A-Z_]+/) { print substr($0, RSTART, RLENGTH) }' "$header"
}

# ---- What the pages have --------------------------------------------------------------------------------------------------

# "N<tab>page<tab>name" for each name in NAME and "P<tab>page<tab>name<tab>prototype" for each function in SYNOPSIS.
page_functions()
{
	for page in "$man_dir"/*.[0-9]; do
		awk -v page="${page##*/}" '
		# The arguments of a macro line from the second word on: "a b" and c become "a b", "c", joined by commas.
		function arguments(line, joined, argument) {
			sub(/^[^ ]+ +/, "", line)
			joined = ""
			while (line != "") {
				if (match(line, /^"[^"]*"/))
					argument = substr(line, 2, RLENGTH - 2)
				else {
					match(line, /^[^ ]+/)
					argument = substr(line, 1, RLENGTH)
				}
				line = substr(line, RSTART + RLENGTH)
				sub(/^ +/, "", line)
				joined = joined (joined == "" ? "" : ", ") argument
			}
			return joined
		}
		function prototype(name, list, text) {
			text = type " " name "(" list ")"
			gsub(/\* /, "*", text)
			print "P\t" page "\t" name "\t" text
			type = ""
		}
		/^\.Sh / { section = substr($0, 5); next }
		section == "NAME" && /^\.Nm / { print "N\t" page "\t" $2 }
		section != "SYNOPSIS" { next }
		/^\.Ft / { type = arguments($0) }
		/^\.Fn / { name = $2; line = $0; sub(/^\.Fn +/, "", line); prototype(name, line == name ? "" : arguments(line)) }
		/^\.Fo / { name = $2; list = "" }
		/^\.Fa / { list = list (list == "" ? "" : ", ") arguments($0) }
		/^\.Fc/ { prototype(name, list) }' "$page"
	done
}

# Turns the source of a literal block back into the text that a reader sees.  One pass, so that \en is \ and n.
# shellcheck disable=SC2016 # an awk program
unescape='
	function plain(line, text, at) {
		text = ""
		while ((at = index(line, "\\")) > 0) {
			text = text substr(line, 1, at - 1)
			line = substr(line, at + 1)
			if (substr(line, 1, 1) == "(") {
				if (!(substr(line, 2, 2) in named))
					unknown = "\\" substr(line, 1, 3)
				text = text named[substr(line, 2, 2)]
				line = substr(line, 4)
			} else {
				if (!(substr(line, 1, 1) in short))
					unknown = "\\" substr(line, 1, 1)
				text = text short[substr(line, 1, 1)]
				line = substr(line, 2)
			}
		}
		return text line
	}
	BEGIN {
		short["&"] = ""; short["e"] = "\\"; short["-"] = "-"; short["\\"] = "\\"; short["`"] = "`"; short["'\''"] = "'\''"
		named["dq"] = "\""; named["aq"] = "'\''"; named["rs"] = "\\"; named["ha"] = "^"; named["ti"] = "~"
		named["ga"] = "`"; named["at"] = "@"; named["sh"] = "#"; named["ba"] = "|"
	}'

# Writes the program of the page $1 to $2.  Fails, with the reason, unless EXAMPLES has exactly one.
extract_program()
{
	awk -v program="$2" "$unescape"'
	/^\.Sh / { examples = $2 == "EXAMPLES"; next }
	!examples { next }
	/^\.Bd -literal/ { inside = 1; blocks++; next }
	/^\.Ed/ { inside = 0; next }
	inside && /^[.'\'']/ { unknown = "a line that begins with " substr($0, 1, 1) }
	inside { print plain($0) >program }
	END {
		if (blocks != 1)
			print "EXAMPLES has " blocks + 0 " programs, not 1"
		else if (unknown != "")
			print "the program has " unknown ", which is not known here"
		exit blocks != 1 || unknown != ""
	}' "$1"
}

# ---- Checks ---------------------------------------------------------------------------------------------------------------

check_sections()
{
	for page in "$man_dir"/*.[0-9]; do
		awk -v page="${page##*/}" '
		BEGIN {
			count = split("NAME,SYNOPSIS,DESCRIPTION,THREAD SAFETY,RETURN VALUES,EXAMPLES,ERRORS,SEE ALSO,CAVEATS", order, ",")
			for (i = 1; i <= count; i++)
				place[order[i]] = i
			needed = "NAME,SYNOPSIS,DESCRIPTION,THREAD SAFETY,EXAMPLES,SEE ALSO"
		}
		/^\.Sh / {
			section = substr($0, 5)
			seen[section] = 1
			if (!(section in place))
				wrong = section " is not a section of these pages"
			else if (place[section] <= last)
				wrong = section " is out of order"
			last = place[section]
		}
		END {
			split(needed, need, ",")
			for (i in need)
				if (!(need[i] in seen))
					wrong = need[i] " is missing"
			print (wrong == "" ? "pass " page ": sections" : "FAIL " page ": " wrong)
		}' "$page"
	done | tally
}

check_functions()
{
	header_functions >"$build/header.functions"
	page_functions >"$build/page.functions"
	if [ ! -s "$build/header.functions" ]; then
		fail "$header: no function found"
		return
	fi
	awk -F '\t' '
	FILENAME == ARGV[1] { prototype[$1] = $2; next }
	FILENAME == ARGV[2] { if (split($0, word, " ") > 1 && word[1] == ".Fn") listed[word[2]] = 1; next }
	FILENAME == ARGV[3] { if (split($0, word, /[ (]/) > 1 && word[1] == "#define") macro[word[2]] = 1; next }
	$1 == "N" { pages[$3]++; page[$3] = $2; next }
	$1 == "P" { synopsis[$2, $3] = $4 }
	END {
		for (name in prototype) {
			wrong = ""
			if (pages[name] == 0)
				wrong = "no page has it in NAME"
			else if (pages[name] > 1)
				wrong = pages[name] " pages have it in NAME"
			else if (!((page[name], name) in synopsis))
				wrong = page[name] " does not have it in SYNOPSIS"
			else if (synopsis[page[name], name] != prototype[name])
				wrong = page[name] " has " synopsis[page[name], name] "; the header has " prototype[name]
			else if (!(name in listed))
				wrong = "duct.7 does not list it"
			print (wrong == "" ? "pass " name : "FAIL " name ": " wrong)
		}
		for (name in pages) {
			if (name in prototype || page[name] ~ /\.7$/)
				continue
			if (name in macro)
				print "pass " name
			else
				print "FAIL " page[name] ": NAME has " name ", which is not in the header"
		}
	}' "$build/header.functions" "$man_dir/duct.7" "$header" "$build/page.functions" | tally
}

# Names that are marked up as functions, types or constants, wherever they stand in a line, and those in NAME.
check_names()
{
	awk '
	{ file = FILENAME; sub(/.*\//, "", file) }
	FILENAME == ARGV[1] {
		gsub(/[^A-Za-z0-9_]+/, " ")
		for (i = split($0, word, " "); i > 0; i--)
			known[word[i]] = 1
		next
	}
	!/^\./ { next }
	{
		gsub(/["*();,.]/, " ")
		for (i = split($0, word, " "); i > 1; i--)
			if (word[i - 1] ~ /^(Fn|Fo|Vt|Dv|Nm)$/ && word[i] ~ /^(duct|DUCT)_/ && !((file, word[i]) in seen)) {
				seen[file, word[i]] = 1
				if (word[i] in known)
					print "pass " file ": " word[i]
				else
					print "FAIL " file ": " word[i] " is not in the header"
			}
	}' "$header" "$man_dir"/*.[0-9] | tally
}

check_statuses()
{
	header_statuses >"$build/header.statuses"
	[ -s "$build/header.statuses" ] || fail "$header: no status found"
	while read -r status; do
		if grep -q "^\.It Dv $status Ta" "$man_dir/duct_strerror.3"; then
			echo "pass $status"
		else
			echo "FAIL duct_strerror.3: $status is missing"
		fi
	done <"$build/header.statuses" | tally
}

check_references()
{
	awk '
	{ file = FILENAME; sub(/.*\//, "", file) }
	FNR == 1 { exists[file] = 1 }
	/^\./ {
		for (i = 1; i < NF; i++)
			if ($i ~ /^\.?Xr$/ && $(i + 1) ~ /^(duct|DUCT)/)
				from[$(i + 1) "." $(i + 2)] = from[$(i + 1) "." $(i + 2)] " " file
	}
	END {
		for (target in from)
			print (target in exists ? "pass " target : "FAIL no page " target ", which is in .Xr of" from[target])
	}' "$man_dir"/*.[0-9] | tally
}

# Runs a program for 10 seconds at most where the system has timeout(1).
run_limited()
{
	if command -v timeout >/dev/null 2>&1; then
		timeout -k 1 10 "$@"
	else
		"$@"
	fi
}

check_example()
{
	page=$1
	program=$build/$(basename "$page" | tr . _)
	rm -f "$program" "$program.c"
	if ! extract_program "$page" "$program.c" >"$program.log"; then
		fail "$page: $(cat "$program.log")"
		return
	fi

	if [ "$library" = - ]; then
		set -- -c -o "$program.o"
	else
		set -- -o "$program" "$library"
	fi
	# The program goes first: a static library serves what stands before it.  CC and CFLAGS are lists of words.
	# shellcheck disable=SC2086
	if ! $CC -std=c11 -Wall -Wextra -Wpedantic -Werror $CFLAGS -I"$(dirname "$header")" "$program.c" "$@" -pthread \
	    >"$program.log" 2>&1; then
		fail "$page: the example does not compile"
		indent "$program.log"
		return
	fi
	if [ "$library" = - ]; then
		pass "$page: the example compiles"
		return
	fi

	run_limited "$program" >"$program.log" 2>&1
	status=$?
	case $status in
	0)
		pass "$page: the example runs" ;;
	124 | 137)
		fail "$page: the example does not end" ;;
	*)
		fail "$page: the example exits with $status"
		indent "$program.log" ;;
	esac
}

check_examples()
{
	for page in "$man_dir"/*.[0-9]; do
		check_example "$page"
	done
}

check_lint
check_sections
check_functions
check_names
check_statuses
check_references
check_examples

failed=$(grep -c '^FAIL' "$results")
echo "$(grep -c '^pass' "$results") passed, $failed failed"
[ "$failed" -eq 0 ]
