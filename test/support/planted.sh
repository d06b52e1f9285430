# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# What all lists of planted bugs have in common: "== NAME" begins a bug, "KEY: VALUE" lines tell of it.  For scripts, which
# include this and set list to the file.

# Names of the bugs in the list.
names()
{
	awk '/^== / { print $2 }' "$list"
}

# What the list says of the bug after "KEY: ".
note()
{
	awk -v name="$1" -v key="$2: " '
		/^== / { inside = $2 == name }
		inside && index($0, key) == 1 { print substr($0, length(key) + 1) }' "$list"
}
