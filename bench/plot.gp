# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The picture of plot.sh: for every scenario a bar for Duct and one for the naive ring, with their figures.  The times span four
# powers of ten, so the axis is logarithmic; it begins at 1 ns.
#
#     gnuplot -e "data='bench.dat'; picture='bench.svg'" plot.gp
set terminal svg size 960, 440 background rgb 'white' font 'sans-serif,12' enhanced
set output picture

set logscale y
set yrange [1 : *]
set xrange [-0.6 : *]
set bmargin 3.5
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1000, '10 µs' 10000, '100 µs' 100000)
set ylabel 'for a message; shorter is faster' textcolor rgb '#222222'
set grid ytics linecolor rgb '#dddddd' linetype 1
set border 1 linecolor rgb '#888888'
set tics nomirror scale 0 textcolor rgb '#222222'
set xtics font ',10'
set key outside top left horizontal Left reverse samplen 1 textcolor rgb '#222222'
set boxwidth 0.38
set style fill solid noborder

# In two or three digits.
figure(ns) = ns < 9.95 ? sprintf('%.1f', ns) : ns < 999.5 ? sprintf('%.0f', ns) : ns < 9950 ? sprintf('%.1fk', ns / 1000) : \
	sprintf('%.0fk', ns / 1000)

plot data using ($0 - 0.2):2 with boxes linecolor rgb '#c8102e' title 'Duct', \
	data using ($0 + 0.2):3 with boxes linecolor rgb '#9aa5b1' title 'mutex and two condition variables', \
	data using ($0 - 0.24):2:(figure($2)) with labels offset 0, 0.6 font ',9' notitle, \
	data using ($0 + 0.24):3:(figure($3)) with labels offset 0, 0.6 font ',9' notitle, \
	data using 0:(NaN):xtic(1) with points notitle
