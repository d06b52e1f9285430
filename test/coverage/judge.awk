# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Judges a report of coverage against the list of what cannot be reached: check-coverage.sh says what is looked for.
#
#     awk -v lib=DIRECTORY/ -v list=unreached.txt -f judge.awk REPORT
#
# The report is that of `llvm-cov show` with branches and MC/DC.  An inline function appears there once for each source that
# uses it, its branches too, so all that is said of one place is put together: what one of them reached is reached.  A thing
# is known by KIND, file, function, source line and condition; line numbers would not outlive the next change.

# ---- Reading the report ---------------------------------------------------------------------------------------------------

function begin_file(path)
{
	file = index(path, lib) == 1 ? substr(path, length(lib) + 1) : ""
	procedure = ""
}

# "   12|  3.4k|code", the code being all that follows the second bar.
function read_line(text,    number, count, at)
{
	at = index(text, "|")
	number = substr(text, 1, at - 1) + 0
	text = substr(text, at + 1)
	at = index(text, "|")
	count = substr(text, 1, at - 1)
	text = substr(text, at + 1)
	if (text ~ /^[A-Za-z].*\(/)
		procedure = name_before_parenthesis(text)
	source[file, number] = text
	within[file, number] = procedure
	gsub(/ /, "", count)
	if (count != "")
		saw("run", number, "", count != "0")
}

function name_before_parenthesis(text)
{
	text = substr(text, 1, index(text, "(") - 1)
	sub(/.*[ *]/, "", text)
	return text
}

# "Branch (12:3): [True: 4, False: 0]"
function read_branch(text,    place)
{
	if (text ~ /Folded/)
		return
	place = between(text, "(", ")")
	saw("true", place, place, between(text, "True: ", ",") != "0")
	saw("false", place, place, between(text, "False: ", "]") != "0")
}

# "Condition C1 --> (12:3)" of the decision at hand, and later "C1-Pair: covered: (1,3)" or "C1-Pair: not covered"
function read_condition(text)
{
	place_of[between(text, "Condition C", " ")] = between(text, "(", ")")
}

function read_pair(text,    place)
{
	if (text ~ /constant folded/)
		return
	sub(/^[ |]*/, "", text)
	place = place_of[between(text, "C", "-")]
	saw("alone", place, place, text !~ /not covered/)
}

function between(text, open, close_)
{
	text = substr(text, index(text, open) + length(open))
	return substr(text, 1, index(text, close_) - 1)
}

# Something of this kind was looked at, at a line or at "line:column" of a condition: it happened, or it did not.
function saw(kind, place, condition, happened,    key)
{
	key = kind SUBSEP file SUBSEP place
	if (!(key in happens)) {
		happens[key] = 0
		order[++places] = key
	}
	happens[key] += happened
}

# ---- The list -------------------------------------------------------------------------------------------------------------

function read_list(    line, where, code)
{
	while ((getline line <list) > 0) {
		if (line ~ /^[a-z]+\.[ch]: [a-z_0-9]+$/)
			where = line
		else if (line ~ /^> /)
			code = trimmed(substr(line, 3))
		else if (where != "" && line ~ /^never (run|true|false|alone)/)
			listed[where "\n" code "\n" substr(line, length("never ") + 1)] = 1
	}
	close(list)
}

function trimmed(text)
{
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

# The text of the condition that begins at this column: up to what ends it, within its line.
function condition_at(text, column,    i, depth, c)
{
	text = substr(text, column)
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "(" || c == "[")
			depth++
		if (c == ")" || c == "]")
			if (depth-- == 0)
				break
		if (depth == 0 && (c == ";" || c == "?" || substr(text, i, 2) == "&&" || substr(text, i, 2) == "||"))
			break
	}
	return trimmed(substr(text, 1, i - 1))
}

# ---- Judging --------------------------------------------------------------------------------------------------------------

function judge(key,    part, place, line, what, name)
{
	split(key, part, SUBSEP)
	split(part[3], place, ":")
	line = source[part[2], place[1]]
	what = part[1]
	if (what != "run")
		what = what ": " condition_at(line, place[2])
	name = part[2] ": " within[part[2], place[1]] "\n" trimmed(line) "\n" what
	known[name] = 1
	all[part[1]]++
	reached[part[1]] += happens[key] > 0
	if (happens[key] > 0 && name in listed)
		fault(name, "listed, but reached")
	if (happens[key] == 0 && name in listed)
		excused[part[1]]++
	if (happens[key] == 0 && !(name in listed))
		fault(name, "line " place[1])
}

function fault(name, why,    part, kind)
{
	split(name, part, "\n")
	kind = part[3]
	sub(/:.*/, "", kind)
	faults[kind]++
	printf "%s (%s)\n> %s\nnever %s\n\n", part[1], why, part[2], part[3]
}

# One of the three checks: nothing wrong, and anything there at all.
function conclude(text, excuses, wrong, count)
{
	print text (excuses > 0 ? " (" excuses " listed)" : "")
	if (wrong > 0 || count == 0)
		failed++
	else
		passed++
}

/^\/.*:$/ { begin_file(substr($0, 1, length($0) - 1)); next }
file == "" { next }
/^ *[0-9]+\| *[0-9.kMGE]*\|/ { read_line($0); next }
/^[ |]*Branch \(/ { read_branch($0); next }
/^[ |]*Condition C[0-9]+ --> / { read_condition($0); next }
/^[ |]*C[0-9]+-Pair: / { read_pair($0); next }

END {
	read_list()
	for (i = 1; i <= places; i++)
		judge(order[i])
	for (name in listed)
		if (!(name in known))
			fault(name, "listed, but not there")
	lines = all["run"] + 0
	branches = all["true"] + all["false"]
	conditions = all["alone"] + 0
	passed = failed = 0
	conclude(sprintf("lines %d of %d", reached["run"], lines), excused["run"], faults["run"], lines)
	conclude(sprintf("branches %d of %d", reached["true"] + reached["false"], branches),
	    excused["true"] + excused["false"], faults["true"] + faults["false"], branches)
	conclude(sprintf("MC/DC %.1f %%, conditions %d of %d", conditions ? 100 * reached["alone"] / conditions : 0,
	    reached["alone"], conditions), excused["alone"], faults["alone"], conditions)
	printf "summary: lines %d of %d, branches %d of %d (%d listed), MC/DC %.1f %%\n", reached["run"], lines,
	    reached["true"] + reached["false"], branches, excused["true"] + excused["false"],
	    conditions ? 100 * reached["alone"] / conditions : 0
	printf "%d passed, %d failed\n", passed, failed
	exit failed > 0
}
