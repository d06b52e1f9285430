#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Duct beside other channels, in one interleaved run: run.py [OPTION...] PROGRAM...
#
# Each PROGRAM knows one or more channels and does one scenario at a time:
#
#     PROGRAM list                                    says "CHANNEL SCENARIO" for everything it can do
#     PROGRAM run CHANNEL SCENARIO SECONDS            does it and says a line of JSON: ns and cpu_ns for a message, and more
#     PROGRAM wait CHANNEL SCENARIO SECONDS           the same, with the longest single send and receive
#     PROGRAM line                                    duct only: ns that a cache line takes from one core to another
#
# NAME=PROGRAM calls its channel NAME, so that one channel can stand beside itself from two builds.
#
# Machines are noisy and change their mood within minutes, so only figures of one run compare: in each round every scenario is
# done once by every channel, in an order that rotates from round to round, and medians are taken over the rounds.  What a
# cache line takes is read before every round and after the last.  Other load only makes it longer, so the least counts: below
# 80 ns the two cores share a cache ("near"), above they do not ("far"), which makes everything that works on both cores 1.5 to
# 6 times slower.
#
# A channel that lost messages has done less: its cell says which share was lost, of a broadcast the share of all copies, and it
# has no ratio and no point in the plot.
#
# A program that fails or hangs loses its cell, which says "failed", and so do all of a row whose busy processes ended early;
# the run goes on, and its exit status is 1.  What --compare says of each scenario is in compare.sh.
#
# CXX in the environment: the compiler that the C++ programs were built with, to be named.
import argparse
import collections
import fnmatch
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = {
    'S1': '1 to 1', 'S2': '4 to 1', 'S3': '1 to 4', 'S4': '4 to 4', 'S5': '1 to 1, capacity 1', 'S6': '1 to 1, capacity 0',
    'S7': 'ping-pong', 'S8': 'one thread', 'S9': 'select of 4', 'S10': 'to each of 4', 'S11': '16 to 16',
    'S1-1': '1 to 1, 1 byte', 'S1-64': '1 to 1, 64 bytes', 'S1-256': '1 to 1, 256 bytes', 'S4-256': '4 to 4, 256 bytes',
    'S1-b16': '1 to 1, batches of 16', 'S1-b64': '1 to 1, batches of 64', 'S4-b64': '4 to 4, batches of 64',
    'S10-to1': 'to each of 1', 'S10-to16': 'to each of 16', 'S10-to64': 'to each of 64', 'S10-256': 'to each of 4, 256 bytes',
    'S10-box': 'to each of 4, boxes', 'S10-to64-box': 'to each of 64, boxes', 'S10-b16': 'to each of 4, batches of 16',
    'S10-to1-lossy': 'to each of 1, or lost', 'S10-lossy': 'to each of 4, or lost', 'S10-to16-lossy': 'to each of 16, or lost',
    'S10-to64-lossy': 'to each of 64, or lost', 'S10-256-lossy': 'to each of 4, 256 bytes, or lost',
    'S10-box-lossy': 'to each of 4, boxes, or lost',
    'popular': '1,000 select',
}
PRESSED = {'one': ('S1', 'S4', 'S7', 'S10'), 'hogs': ('S1', 'S4', 'S5', 'S6', 'S7', 'S9', 'S10', 'S11')}
PRESSED_TITLES = {'one': 'one core', 'hogs': 'busy cores'}
FAIR, WAIT = ('S3', 'S4', 'S11'), ('S4', 'S11')
LONG_ROUNDS = 3 # at most, of the runs for fairness and for the longest wait
NEAR = 80 # ns
PATIENCE = 20 # seconds that a program may take longer than asked
HOG_SECONDS = 120 # of processor time, after which a hog ends in any case
QUIET = 0.5 # load of the machine, above which it is busy with other things
VERDICT_ROUNDS = 5 # at least
PACKAGES = ('libglib2.0-dev', 'libaprutil1-dev', 'libtbb-dev', 'libboost-thread-dev', 'libconcurrentqueue-dev',
    'librust-crossbeam-channel-dev', 'librust-flume-dev', 'librust-tokio-dev') # Debian's, of the peers

Channel = collections.namedtuple('Channel', 'label name program scenarios')
Row = collections.namedtuple('Row', 'name scenario pressure title') # pressure: '', 'one' or 'hogs'
Bar = collections.namedtuple('Bar', 'ours theirs channel near far')


# ---- The programs ------------------------------------------------------------------------------------------------------

class Programs:
    """Runs programs; remembers what failed."""

    def __init__(self):
        self.failures = []

    def fail(self, text):
        self.failures.append(text)
        print(f'failed: {text}', file=sys.stderr, flush=True)

    def output(self, command, seconds=0):
        """What a command says, or None if it fails."""
        what = ' '.join([os.path.basename(command[0]), *command[1:]])
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                timeout=PATIENCE + seconds)
        except subprocess.TimeoutExpired:
            return self.fail(f'{what}: no end after {PATIENCE + seconds:g} s')
        except OSError as error:
            return self.fail(f'{what}: {error}')
        if done.returncode != 0:
            return self.fail(f'{what}: status {done.returncode}: {done.stderr.strip()[:200]}')
        return done.stdout

    def channels(self, argument):
        """The channels of PROGRAM or NAME=PROGRAM."""
        name, _, program = argument.rpartition('=')
        scenarios = collections.defaultdict(list)
        for line in (self.output([os.path.abspath(program), 'list']) or '').splitlines():
            channel, scenario = line.split()
            scenarios[channel].append(scenario)
        prefix = f'{name}/' if name else ''
        labels = [name] if name and len(scenarios) == 1 else [prefix + channel for channel in scenarios]
        program = os.path.abspath(program)
        return [Channel(label, channel, program, scenarios[channel]) for label, channel in zip(labels, scenarios)]

    def result(self, channel, scenario, seconds, word='run', before=()):
        """The JSON of one run, or None if it fails."""
        text = self.output([*before, channel.program, word, channel.name, scenario, f'{seconds:g}'], seconds)
        if text is None:
            return None
        try:
            result = json.loads(text)
            return {**result, 'ns': float(result['ns']), 'cpu_ns': float(result['cpu_ns'])}
        except (ValueError, KeyError, TypeError) as error:
            return self.fail(f'{channel.label} {scenario}: not a result: {error!r}')

    def line(self, channel):
        text = self.output([channel.program, 'line'])
        return None if text is None else float(json.loads(text)['line_ns'])


class Hogs:
    """Twice as many busy processes as there are cores.  They are killed in any case: at the end of the block, or by a limit."""

    def __enter__(self):
        loop = f'ulimit -t {HOG_SECONDS}; while :; do :; done'
        self.processes = []
        try:
            for _ in range(2 * len(os.sched_getaffinity(0))):
                self.processes.append(subprocess.Popen(['sh', '-c', loop], stdin=subprocess.DEVNULL))
        except BaseException:
            self.__exit__()
            raise
        return self

    def are_all_busy(self):
        return all(process.poll() is None for process in self.processes)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


# ---- Measuring ---------------------------------------------------------------------------------------------------------

def all_rows(channels):
    """What can be measured: each scenario that a channel knows, alone and under pressure."""
    known = [s for s in TITLES if any(s in channel.scenarios for channel in channels)]
    known += sorted({s for channel in channels for s in channel.scenarios} - set(TITLES))
    rows = [Row(s, s, '', f'{s}: {TITLES[s]}' if s in TITLES else s) for s in known]
    for pressure, scenarios in PRESSED.items():
        for s in [s for s in scenarios if s in known]:
            rows.append(Row(f'{s}-{pressure}', s, pressure, f'{s}: {TITLES[s]}, {PRESSED_TITLES[pressure]}'))
    return rows


def is_named(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def rows_of(options, channels):
    """What is measured: what was asked for; with pressure also on one core and with hogs."""
    asked = options.scenarios

    def is_asked(row):
        if row.name in asked:
            return True
        wants_more = row.pressure != '' or row.name == 'popular'
        return (options.pressure or not wants_more) and (not asked or is_named(row.scenario, asked))
    return [row for row in all_rows(channels) if is_asked(row)]


def rotated(items, by):
    by %= max(len(items), 1)
    return items[by:] + items[:by]


class Run:
    """One interleaved run; results[row name, channel label] is a list of what the program said, with None where it failed."""

    def __init__(self, options, programs, channels):
        self.options, self.programs, self.channels = options, programs, channels
        self.rows = rows_of(options, channels)
        self.results, self.fair, self.waits = {}, {}, {}
        self.lines = []

    def read_line(self):
        for channel in [c for c in self.channels if c.name == 'duct'][-1:]:
            self.lines.append(self.programs.line(channel))

    def once(self, table, key, channel, scenario, *more):
        """One more result for table[key, channel]; what failed before is not tried again."""
        results = table.setdefault((key, channel.label), [])
        if scenario not in channel.scenarios:
            del table[key, channel.label]
        elif None not in results:
            results.append(self.programs.result(channel, scenario, *more))

    def measure_row(self, row, number):
        cpu = str(min(os.sched_getaffinity(0)))
        before = ['taskset', '-c', cpu] if row.pressure == 'one' else []
        for channel in rotated(self.channels, number):
            self.once(self.results, row.name, channel, row.scenario, self.options.seconds, 'run', before)

    def measure_with_hogs(self, row, number):
        with Hogs() as hogs:
            self.measure_row(row, number)
            if hogs.are_all_busy():
                return
        self.programs.fail(f'{row.title}: busy processes ended early')
        for channel in self.channels:
            self.results.get((row.name, channel.label), []).append(None)

    def measure_rows(self):
        for number in range(self.options.runs):
            print(f'round {number + 1} of {self.options.runs}', file=sys.stderr, flush=True)
            self.read_line()
            for row in self.rows:
                if row.pressure == 'hogs':
                    self.measure_with_hogs(row, number)
                else:
                    self.measure_row(row, number)

    def measure_long(self, table, scenarios, seconds, word):
        """Longer runs of some of the scenarios asked for."""
        asked = [row.name for row in self.rows if row.name in scenarios]
        for number in range(min(self.options.runs, LONG_ROUNDS) if seconds > 0 else 0):
            for scenario in asked:
                for channel in rotated(self.channels, number):
                    self.once(table, scenario, channel, scenario, seconds, word)

    def measure(self):
        self.measure_rows()
        if self.options.pressure:
            print('fairness and waiting', file=sys.stderr, flush=True)
            self.measure_long(self.fair, FAIR, self.options.fair_seconds, 'run')
            self.measure_long(self.waits, WAIT, self.options.wait_seconds, 'wait')
        self.read_line()

    def median(self, row_name, label, field='ns'):
        """None where nothing was measured or something failed."""
        results = self.results.get((row_name, label), [])
        return None if not results or None in results else statistics.median(result[field] for result in results)

    def lost(self, row_name, label):
        """The share of the messages, of a broadcast of all copies."""
        results = [result for result in self.results.get((row_name, label), []) if result]
        return sum(result.get('lost', 0) for result in results) / max(1, sum(result.get('copies', result['messages'])
            for result in results))

    def mood(self):
        lines = [line for line in self.lines if line is not None]
        return 'unknown' if not lines else 'near' if min(lines) < NEAR else 'far'


# ---- The machine -------------------------------------------------------------------------------------------------------

def lines_of(*command):
    """What a command says; nothing if there is none."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            universal_newlines=True).stdout.splitlines()
    except OSError:
        return []


def compilers():
    """As build.sh chooses them: CXX, and of Go and Rust the distribution's before others."""
    path = '/usr/bin:' + os.environ.get('PATH', '')
    commands = [[*(os.environ.get('CXX') or 'c++').split(), '--version']]
    commands += [[shutil.which(name, path=path) or name, word] for name, word in (('go', 'version'), ('rustc', '--version'))]
    return [line.strip() for command in commands for line in lines_of(*command)[:1]]


def packages():
    """Names and versions of those that are installed."""
    lines = lines_of('dpkg-query', '-W', '-f', '${Package} ${Version}\n', *PACKAGES)
    return [line for line in lines if len(line.split()) == 2]


def cpu_model():
    with open('/proc/cpuinfo') as file:
        models = [line.split(':', 1)[1].strip() for line in file if line.startswith('model name')]
    return models[0] if models else platform.machine()


def machine():
    return {'cpu': cpu_model(), 'cores': len(os.sched_getaffinity(0)), 'kernel': f'{platform.system()} {platform.release()}',
        'libc': ' '.join(platform.libc_ver()), 'load': os.getloadavg()[0], 'compilers': compilers(), 'packages': packages()}


def machine_text(about, run):
    lines = [f'{line:.0f}' for line in run.lines if line is not None]
    built = about['compilers'][:1] if run.options.compare else [*about['compilers'], ', '.join(about['packages'])]
    busy = ': something else is at work here, so the figures may be wrong' if about['load'] > QUIET else ''
    return '\n'.join([f'{about["cpu"]}, {about["cores"]} cores; {about["kernel"]}; {about["libc"]}', *filter(None, built),
        f'load of the machine before the run: {about["load"]:.1f}{busy}',
        f'a cache line to the other core, ns, before each round and after the last: {", ".join(lines) or "not measured"}'
        f' ({run.mood()})'])


# ---- Tables ------------------------------------------------------------------------------------------------------------

def number(value):
    return f'{value:,.0f}' if value >= 99.95 else f'{value:.1f}'


def ratio_text(value):
    return f'{value:.2f}' if value >= 0.0995 else f'{value:.3f}'


def print_table(title, head, lines):
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    print(f'\n{title}\n')
    for line in [head, ['-' * width for width in widths], *lines]:
        print('| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |')


def cell(table, key, text):
    """Of table[key]: '-' where nothing was asked, else what text says of the results."""
    results = table.get(key)
    return '-' if not results else 'failed' if None in results else text(results)


def median_of(results, field):
    return statistics.median(result[field] for result in results)


def print_times(run):
    def text(results, lost):
        share = 'under 1' if lost < 0.01 else 'over 99' if lost > 0.99 else f'{100 * lost:.0f}'
        told = f', {share} % lost' if lost else ''
        return f'{number(median_of(results, "ns"))} ({number(median_of(results, "cpu_ns"))}){told}'
    labels = [channel.label for channel in run.channels]
    lines = [[row.title] + [cell(run.results, (row.name, label), lambda results: text(results, run.lost(row.name, label)))
        for label in labels] for row in run.rows]
    print_table('Wall time of a message sent in ns (processor time in brackets), medians', ['scenario', *labels], lines)


def print_ratios(run):
    base = run.options.base

    def text(row, label):
        if run.lost(row.name, label) or run.lost(row.name, base):
            return '-'
        return ratio_text(run.median(row.name, base) / run.median(row.name, label))
    others = [channel.label for channel in run.channels if channel.label != base]
    lines = []
    for row in run.rows:
        if run.median(row.name, base) is not None:
            lines.append([row.title] + [cell(run.results, (row.name, label), lambda _: text(row, label)) for label in others])
    if lines and others:
        print_table(f'{base} / other: below 1, {base} is faster; none where messages were lost', ['scenario', *others], lines)


def evenness(results, side):
    """Jain's index (1 where all did as much), and the smallest share of the largest."""
    shares = [result.get(side) for result in results]
    if not all(shares) or len(shares[0]) < 2 or any(sum(share) == 0 for share in shares):
        return '-'
    jain = statistics.median(sum(share) ** 2 / (len(share) * sum(s * s for s in share)) for share in shares)
    least = statistics.median(min(share) / max(share) for share in shares)
    return f'{jain:.2f} ({least:.2f})'


def print_fairness(run):
    labels = [channel.label for channel in run.channels]
    lines = []
    for s, side in ((s, side) for s in FAIR for side in ('receivers', 'senders')):
        cells = [cell(run.fair, (s, label), lambda results: evenness(results, side)) for label in labels]
        if set(cells) != {'-'}:
            lines.append([f'{s}: {TITLES[s]}, {side}', *cells])
    if lines:
        title = f"Fairness over {run.options.fair_seconds:g} s: Jain's index (smallest / largest share)"
        print_table(title, ['scenario', *labels], lines)


def print_waits(run):
    def text(results):
        sends, receives = (median_of(results, f'longest_{what}_us') for what in ('send', 'receive'))
        return f'{number(sends / 1000)} / {number(receives / 1000)}'
    labels = [channel.label for channel in run.channels]
    lines = [[f'{s}: {TITLES[s]}'] + [cell(run.waits, (s, label), text) for label in labels]
        for s in WAIT if any((s, label) in run.waits for label in labels)]
    if lines:
        print_table(f'The longest send / receive within {run.options.wait_seconds:g} s, in ms', ['scenario', *labels], lines)


# ---- Bars --------------------------------------------------------------------------------------------------------------

def read_bars(path):
    """Lines SCENARIO CHANNEL RATIO [RATIO-WHEN-FAR]; '-' for no bar, OURS:THEIRS for two scenarios, # for a comment."""
    bars = []
    with open(path) as file:
        for words in (line.split('#')[0].split() for line in file):
            if words:
                scenario, channel, near, far = (words + ['-'])[:4]
                ours, _, theirs = scenario.partition(':')
                bars.append(Bar(ours, theirs or ours, channel, *(None if bar == '-' else float(bar) for bar in (near, far))))
    return bars


def print_bars(run, load):
    far = run.mood() == 'far'
    met = missed = unmeasured = 0
    bars = read_bars(run.options.bars)
    asked = [(bar, bar.far if far else bar.near) for bar in bars if (bar.far if far else bar.near) is not None]
    print()
    for bar, limit in asked:
        ours, theirs = run.median(bar.ours, run.options.base), run.median(bar.theirs, bar.channel)
        if ours is None or theirs is None:
            unmeasured += 1
        elif ours / theirs <= limit:
            met += 1
        else:
            missed += 1
            print(f'missed: {bar.ours} {bar.channel} {ratio_text(ours / theirs)} > {limit:g}')
    rest = f', {unmeasured} not measured' if unmeasured else ''
    rest += f', {len(bars) - len(asked)} have no {"far" if far else "near"} value' if len(asked) < len(bars) else ''
    busy = ', on a busy machine' if load > QUIET else ''
    print(f'bars: {met} of {met + missed} met ({run.mood()}{busy}){rest}')


# ---- Two builds of one channel -----------------------------------------------------------------------------------------

def spread(times):
    """The range that the middle half lies in, in % of the median."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4, method='inclusive')
    return 100 * (high - low) / middle


def verdict(base, this):
    """Different only by more than 5 % and by more than either build differs from itself."""
    change = 100 * (statistics.median(this) / statistics.median(base) - 1)
    if abs(change) <= max(5, spread(base), spread(this)):
        return 'same'
    return 'slower' if change > 0 else 'faster'


def print_comparison(run):
    """The first two channels beside each other; returns how many scenarios are slower in the second."""
    base, this = (channel.label for channel in run.channels[:2])
    too_few = run.options.runs < VERDICT_ROUNDS
    lines = []
    for row in run.rows:
        pair = [run.results.get((row.name, label)) for label in (base, this)]
        if not all(pair):
            continue
        if any(None in results for results in pair):
            lines.append([row.title, *('failed' if None in results else '-' for results in pair), '-', '-', '-', 'failed'])
            continue
        times = [[result['ns'] for result in results] for results in pair]
        medians = [statistics.median(t) for t in times]
        lines.append([row.title, *map(number, medians), *(f'{spread(t):.1f} %' for t in times),
            ratio_text(medians[1] / medians[0]), '-' if too_few else verdict(*times)])
    print_table('Wall time of a message in ns, medians; the spread is that of the middle half',
        ['scenario', base, this, f'spread of {base}', f'spread of {this}', f'{this} / {base}', 'verdict'], lines)
    if too_few:
        print(f'\ntoo few rounds for a verdict: {run.options.runs}, and {VERDICT_ROUNDS} are needed')
    return sum(line[-1] == 'slower' for line in lines)


# ---- Files -------------------------------------------------------------------------------------------------------------

def write_json(run, about, path):
    def listed(table):
        return [{'row': row, 'channel': label, 'runs': results} for (row, label), results in table.items()]
    with open(path, 'w') as file:
        json.dump({'machine': about, 'line_ns': run.lines, 'mood': run.mood(), 'seconds': run.options.seconds,
            'rows': [row._asdict() for row in run.rows], 'results': listed(run.results), 'fairness': listed(run.fair),
            'waits': listed(run.waits), 'failures': run.programs.failures}, file, indent=1)
        file.write('\n')
    print(f'\nwritten: {path}')


def write_plot_data(run, path):
    """A block of the rows' titles, then a block for every channel: its name, and lines NS ROW.  No row without a point."""
    def point(row, channel):
        return None if run.lost(row.name, channel.label) else run.median(row.name, channel.label)
    rows = [row for row in run.rows if any(point(row, channel) is not None for channel in run.channels)]
    rows = rows[::-1] # the first on top
    blocks = [['titles', *(f'1 {i} "{row.title}"' for i, row in enumerate(rows))]]
    for channel in run.channels:
        times = [(point(row, channel), i) for i, row in enumerate(rows)]
        if any(ns is not None for ns, _ in times):
            blocks.append([channel.label, *(f'{ns:.3f} {i}' for ns, i in times if ns is not None)])
    with open(path, 'w') as file:
        file.write('\n\n\n'.join('\n'.join(block) for block in blocks) + '\n')
    return len(rows), len(blocks) - 1


def plot(run, folder):
    if not shutil.which('gnuplot'):
        print('no plot: there is no gnuplot here')
        return
    rows, channels = write_plot_data(run, f'{folder}/peers.dat')
    what = f"data='{folder}/peers.dat'; picture='{folder}/peers.svg'; rows={rows}; channels={channels}"
    if channels and subprocess.run(['gnuplot', '-e', what, f'{HERE}/plot.gp']).returncode != 0:
        run.programs.fail('gnuplot')
    elif channels:
        print(f'written: {folder}/peers.svg')


# ---- The run -----------------------------------------------------------------------------------------------------------

def read_options():
    def names(text):
        return text.split(',')
    parser = argparse.ArgumentParser(description='Duct beside other channels, in one interleaved run')
    parser.add_argument('--runs', type=int, default=5, help='rounds (5)')
    parser.add_argument('--seconds', type=float, default=0.35, help='of one scenario of one channel (0.35)')
    parser.add_argument('--scenarios', type=names, default=[], metavar='S1,S4',
        help="only these; S1-one: on one core, S1-hogs; 'S10*': all that begin so")
    parser.add_argument('--channels', type=names, default=[], metavar='A,B', help='only these')
    parser.add_argument('--base', default='duct', help='the channel whose ratios to the others are shown (duct)')
    parser.add_argument('--out', metavar='DIR', help='the folder for peers.json and peers.svg')
    parser.add_argument('--pressure', action='store_true', help='also one core, busy cores, 1,000 threads, fairness, waiting')
    parser.add_argument('--fair-seconds', type=float, default=2, help='of a run for fairness (2); 0: none')
    parser.add_argument('--wait-seconds', type=float, default=2, help='of a run for the longest wait (2); 0: none')
    parser.add_argument('--bars', metavar='FILE', help='tells which ratios are above those in FILE')
    parser.add_argument('--compare', action='store_true', help='two builds of one channel, the older first')
    parser.add_argument('programs', nargs='+', metavar='[NAME=]PROGRAM')
    options = parser.parse_args()
    if options.runs < 1 or options.seconds <= 0:
        parser.error('at least one run of more than 0 seconds')
    return options, parser


def check_names(options, parser, channels):
    """What is asked for by name has to be there; but who asks for no base may do without one."""
    labels = [channel.label for channel in channels]
    base = [] if options.base == parser.get_default('base') else [options.base]
    for name in options.channels + base:
        if name not in labels:
            parser.error(f'no channel {name}; there are {", ".join(labels)}')
    known = {name for row in all_rows(channels) for name in (row.name, row.scenario)}
    for name in options.scenarios:
        if not fnmatch.filter(known, name):
            parser.error(f'no scenario {name}; there are {", ".join(row.name for row in all_rows(channels))}')


def choose_channels(options, channels):
    chosen = [channel for channel in channels if not options.channels or channel.label in options.channels]
    return chosen if options.compare else sorted(chosen, key=lambda channel: channel.label != options.base)


def report(run, about):
    """Prints all tables; returns how many scenarios became slower."""
    print(machine_text(about, run))
    if run.options.compare:
        return print_comparison(run)
    for print_part in (print_times, print_ratios, print_fairness, print_waits):
        print_part(run)
    if run.options.bars:
        print_bars(run, about['load'])
    return 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)) # by way of `finally`, which ends the hogs
    (options, parser), programs = read_options(), Programs()
    channels = [channel for program in options.programs for channel in programs.channels(program)]
    check_names(options, parser, channels)
    channels = choose_channels(options, channels)
    if len(channels) < (2 if options.compare else 1):
        sys.exit('run.py: no channel to measure')
    run, about = Run(options, programs, channels), machine() # which tells the load of before
    run.measure()
    slower = report(run, about)
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        write_json(run, about, f'{options.out}/{"compare" if options.compare else "peers"}.json')
        if not options.compare:
            plot(run, options.out)
    return 1 if programs.failures or slower else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
