# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The picture of run.py: a line for every scenario, on it a point for every channel, from left (fast) to right.  The times span
# four powers of ten, so the axis is logarithmic; the first channel, Duct, is the large full dot.
#
#     gnuplot -e "data='peers.dat'; picture='peers.svg'; rows=ROWS; channels=CHANNELS" plot.gp
set terminal svg size 900, 70 + 24 * (rows > channels ? rows : channels) background rgb 'white' font 'sans-serif,12' noenhanced
set output picture

set logscale x
set xrange [*:*]
set yrange [-0.7 : rows - 0.3]
set format x '%.0s%c'
set xlabel 'ns per message; left is faster'
set grid xtics ytics linecolor rgb '#dddddd' linetype 1
set border 1 linecolor rgb '#888888'
set tics nomirror scale 0 textcolor rgb '#222222'
set key outside right top vertical Left reverse samplen 0.5 spacing 1.2 textcolor rgb '#222222'

colours = '#c8102e #1f77b4 #2ca02c #9467bd #8c564b #e377c2 #7f7f7f #bcbd22 #17becf #ff7f0e #393b79 #637939 #843c39 #e7ba52'
shapes = '7 5 9 11 13 4 6 8 10 12 1 2 3 15'
colour(i) = word(colours, (i - 1) % words(colours) + 1)
shape(i) = int(word(shapes, (i - 1) % words(shapes) + 1))

# The titles of the rows first, as points that are not drawn.  Duct is named first and drawn last, so that nothing lies on it.
plot data index 0 using (NaN):2:ytic(3) with points notitle, \
	data index 1 using (NaN):2 with points pointtype 7 pointsize 1.2 linecolor rgb colour(1) title columnheader(1), \
	for [i = 2 : channels] data index i using 1:2 with points pointtype shape(i) pointsize 0.9 \
		linecolor rgb colour(i) title columnheader(1), \
	data index 1 using 1:2 with points pointtype 7 pointsize 1.2 linecolor rgb colour(1) notitle
