#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Draws the main scenarios of a run of the benchmarks: two bars for each, Duct and the naive ring, medians of the repetitions.
#
#     plot.sh BENCH.json PICTURE.svg      the first is what bench --benchmark_out=BENCH.json wrote
#
# Without python3 or gnuplot it says so and draws nothing.
set -eu

if [ $# != 2 ]; then
	echo "usage: $0 BENCH.json PICTURE.svg" >&2
	exit 2
fi
for tool in python3 gnuplot; do
	command -v $tool >/dev/null || { echo "no picture: there is no $tool here"; exit 0; }
done
here=$(dirname "$0")
data=$(mktemp)
trap 'rm -f "$data"' EXIT

# A line for each scenario: "title" duct naive, in ns.
python3 - "$1" > "$data" <<'END'
import json, statistics, sys

SCENARIOS = [
    ("1 to 1", "S1/%s/size:8/capacity:1024"),
    ("4 to 1", "S2/%s/size:8/capacity:1024"),
    ("1 to 4", "S3/%s/size:8/capacity:1024"),
    ("4 to 4", "S4/%s/size:8/capacity:1024"),
    ("16 to 16", "S11/%s/size:8/capacity:1024"),
    ("1 to 1\\nby 64", "S1/%s/size:8/capacity:1024/batch:64"),
    ("4 to 4\\nby 64", "S4/%s/size:8/capacity:1024/batch:64"),
    ("4 to 4\\n256 B", "S4/%s/size:256/capacity:1024"),
    ("one\\nthread", "S8/%s/size:8/capacity:1024"),
    ("select\\nof 4", "S9/%s/size:8/capacity:1024"),
    ("to each\\nof 4", "S10/%s/size:8/capacity:1024/receivers:4"),
    ("to each\\nof 64", "S10/%s/size:8/capacity:1024/receivers:64"),
    ("capacity\\n1", "S1/%s/size:8/capacity:1"),
    ("capacity\\n0", "S1/%s/size:8/capacity:0"),
    ("round\\ntrip", "S7/%s/size:8/capacity:1"),
]


def medians(runs):
    """The median ns by name, told by the benchmark itself or made of its repetitions."""
    told, times = {}, {}
    for run in runs:
        name = run["run_name"].removesuffix("/manual_time")
        if run["run_type"] == "iteration":
            times.setdefault(name, []).append(run["ns"])
        elif run["aggregate_name"] == "median":
            told[name] = run["ns"]
    return {**{name: statistics.median(some) for name, some in times.items()}, **told}


with open(sys.argv[1]) as file:
    ns = medians(json.load(file)["benchmarks"])
for title, name in SCENARIOS:
    if name % "duct" in ns and name % "naive" in ns:
        print('"%s" %.4g %.4g' % (title, ns[name % "duct"], ns[name % "naive"]))
END
if ! [ -s "$data" ]; then
	echo "$0: $1 has none of the scenarios to draw" >&2
	exit 1
fi
gnuplot -e "data='$data'; picture='$2'" "$here/plot.gp"
echo "written: $2"
