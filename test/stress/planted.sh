#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether stress_history sees what it has to: test/stress/planted.sh [NAME...]
#
# Plants the bugs of planted.txt beside this script, as test/fault/planted.sh does.  Half a minute.
set -e
here=$(cd "$(dirname "$0")" && pwd)
LIST=$here/planted.txt SOURCES=$here/stress_history.c exec "$here/../fault/planted.sh" "$@"
