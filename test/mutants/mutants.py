#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether the tests notice small mistakes in the sources: mutants.py [CONFIG [BUILD [NUMBER...]]]
#
# Every mutant that mutate.py can make is tried, all from one build, until a test fails; one that no test fails for must be
# listed as equivalent, with a reason.  CONFIG (test/mutants/lib.conf) says what to mutate, how to build it, and which programs
# are to notice, the quickest first.  BUILD (build/mutants) is the folder to work in.  NUMBERs make and try these mutants
# only, and tell of each what noticed it.  EVERY=3 in the environment tries every third mutant, and does not say which entries of
# the list are out of date.
#
# How it is quick.  One build has all mutants.  Mutants whose machine code is that of the function itself, or of another
# mutant, are left out.  A run without a mutant tells first which functions each program and each single test reaches, and
# only those are tried, of the tests the most particular first; but a quick one that just noticed a mutant of the same
# function goes ahead.  That order decides who notices first, not whether anybody does.
#
# A test that ends with an error noticed the mutant, and so did one that does not end: its processor time is limited, and its
# time to ten times what it needs without a mutant and two seconds.  What a single test notices it has to notice twice, lest
# bad luck with the clock counts.
#
# CONFIG has a section [mutants]:
#
#     sources       patterns of the files to mutate
#     copy          what of the project goes into the copy that is built
#     home          the folder in which mutant.c is put, which every program has to be linked with
#     untouched     calls that are left as they are
#     skip          patterns of functions that are left as they are
#     check         compiles $SOURCE for its errors only, in the copy
#     build         the commands that build, one a line, side by side, to folder $OUT
#     objects       patterns of the object files of the sources, to compare machine code
#     equivalent    the list of equivalent mutants; it tells how it is written itself
#     replacements  ONE:OTHER,OTHER... names that are put in the place of a name
#     without       patterns of suite/name of tests that are left out: many threads at work for long, which say nothing new
#     swaps         ONE:OTHER names each of which is put in the place of the other
#
# and for each killer a section [killer NAME]:
#
#     command       runs it, in order of appearance; it fails if it ends with an error
#     stop          an expression: output that says already that it fails
#     tests         patterns of files with TEST(suite, name, ...): each is run alone, as $TEST in the command
#     most          of these tests only so many, for each function the most particular; a later killer may have the rest
#     listed        yes: mutants that are listed as equivalent are tried too, in case the list is out of date; with ALL=1 in
#                   the environment all killers try them
#
# Prints a summary by operator and by killer, each survivor, and last "N passed, M failed": a mutant passes if it is killed or,
# where it is listed as equivalent, if it is not.
import collections
import configparser
import fnmatch
import glob
import math
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import mutate

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKERS = int(os.environ.get('WORKERS', '2'))
TIMES, SECONDS = 10, 2 # what a program may take longer than without a mutant
SHARE = 20 # how many mutants of a function a worker takes at once
CHANCES = 3 # of the tests, for what takes luck to notice
QUICK = 0.2 # seconds: a test that goes ahead once it noticed something


def say(text):
    print(text, flush=True)


# ---- The sources, with all mutants ------------------------------------------------------------------------------------

class Project:
    """A copy of the project with mutated sources, and how to build it."""

    def __init__(self, config, build):
        self.options = config['mutants']
        self.build = os.path.abspath(build)
        self.tree, self.out = self.build + '/tree', self.build + '/out'
        self.texts = {}
        for pattern in self.options['sources'].split():
            for path in glob.glob(os.path.join(ROOT, pattern)):
                with open(path) as file:
                    self.texts[os.path.relpath(path, ROOT)] = file.read()
        self.functions, self.mutants, self.refused = mutate.find_mutants(self.texts, self.options)
        self.invalid, self.same = [], []

    def words(self, command, **more):
        values = {'OUT': self.out, **more}
        return [re.sub(r'\$(\w+)', lambda m: values.get(m.group(1), m.group()), word) for word in shlex.split(command)]

    def copy(self):
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.tree)
        for name in self.options['copy'].split():
            source, target = os.path.join(ROOT, name), os.path.join(self.tree, name)
            shutil.copytree(source, target) if os.path.isdir(source) else shutil.copy(source, target)
        for folder in {os.path.dirname(path) for path in self.texts}:
            self.write(folder + '/mutant.h', mutate.HEADER)
        self.write(self.options['home'] + '/mutant.c', f'#define FUNCTIONS {len(self.functions)}\n' + mutate.SOURCE)

    def write(self, path, text):
        with open(os.path.join(self.tree, path), 'w') as file:
            file.write(text)

    def write_mutants(self):
        chosen = collections.defaultdict(list)
        for mutant in self.mutants:
            chosen[mutant.function].append(mutant)
        for path, text in self.texts.items():
            functions = [f for f in self.functions if f.path == path]
            self.write(path, mutate.mutated_source(path, text, functions, chosen))

    def check(self):
        """Leaves out the mutants that do not compile."""
        while True:
            self.write_mutants()
            sources = [path for path in sorted(self.texts) if path.endswith('.c')]
            running = [subprocess.Popen(self.words(self.options['check'], SOURCE=path), cwd=self.tree, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for path in sources]
            said = ''.join(process.communicate()[1] for process in running)
            bad = {int(n) for n in re.findall(r'^mutant:(\d+):\d+:\d+: error', said, re.M)}
            if not bad:
                if any(process.returncode for process in running):
                    sys.exit('cannot build:\n' + said)
                return
            self.invalid += [m for m in self.mutants if m.number in bad]
            self.mutants = [m for m in self.mutants if m.number not in bad]

    def make(self):
        commands = [command.replace('\\\n', ' ') for command in re.split(r'(?<!\\)\n', self.options['build'].strip())]
        running = [subprocess.Popen(self.words(command), cwd=self.tree, text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT) for command in commands]
        for command, process in zip(commands, running):
            said = process.communicate()[0]
            if process.returncode != 0:
                sys.exit(f'{command}:\n{said}')

    def machine_code(self):
        """The code of each mutant, and of each function itself under the number of its first mutant, negative."""
        code, name = {}, None
        for path in sorted(path for pattern in self.words(self.options['objects']) for path in glob.glob(pattern)):
            listing = subprocess.run(['objdump', '-dr', '--no-show-raw-insn', path], stdout=subprocess.PIPE, text=True).stdout
            for line in listing.split('\n'):
                start = re.match(r'[0-9a-f]+ <(\w+)__([mp])(\d+)>:', line)
                if start:
                    name = int(start.group(3)) * (1 if start.group(2) == 'm' else -1)
                    code[name] = []
                elif line.startswith('0'):
                    name = None
                elif name is not None and line:
                    line = re.sub(r'^\s*[0-9a-f]+:\s*', '', line)
                    line = re.sub(r'\b[0-9a-f]+ <(\w+)__[mp]\d+(\+0x[0-9a-f]+)?>', r'<self\2>', line)
                    code[name].append(re.sub(r'\b[0-9a-f]+ (<.*>)', r'\1', line))
        return {name: tuple(lines) for name, lines in code.items()}

    def leave_out_same(self):
        code = self.machine_code()
        seen, kept, first = {}, [], {}
        for mutant in self.mutants:
            low = first.setdefault(mutant.function, mutant.number)
            key = (mutant.function, code.get(mutant.number))
            seen.setdefault((mutant.function, code.get(-low)), -low)
            if key[1] is not None and key in seen:
                self.same.append((mutant, seen[key]))
            else:
                seen[key] = mutant.number
                kept.append(mutant)
        self.mutants = kept


# ---- Running ------------------------------------------------------------------------------------------------------------

OUT_OF_TIME = 'out of time'


def run(command, environment, limit, stop=None):
    """Whether the program ended well in so many seconds without saying stop, how long it took, and what it said."""
    environment = {**os.environ, **environment, 'MUTANT_CPU': str(math.ceil(limit))}
    began, tail = time.monotonic(), b''
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    well = True
    while True:
        left = began + limit - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            well = False
            tail += b'\n' + OUT_OF_TIME.encode()
            break
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        tail = (tail + data)[-65536:]
        if stop and re.search(stop, tail):
            well = False
            break
    try:
        os.killpg(process.pid, signal.SIGKILL) if not well else None
    except ProcessLookupError:
        pass
    process.stdout.close()
    well = process.wait() == 0 and well
    return well, time.monotonic() - began, tail.decode(errors='replace')


class Test:
    """One program to run, and what it reaches."""

    def __init__(self, name, command, stop):
        self.name, self.command, self.stop = name, command, stop
        self.seconds, self.reached = 0.0, b''

    def learn(self, project):
        path = f'{project.build}/reached.{threading.get_ident()}'
        with open(path, 'wb') as file:
            file.write(bytes(len(project.functions)))
        well, self.seconds, said = run(self.command, {'MUTANTS_REACHED': path}, 300)
        with open(path, 'rb') as file:
            self.reached = file.read()
        os.unlink(path)
        if not well:
            sys.exit(f'fails without a mutant: {" ".join(self.command)}\n{said}')

    def fails_for(self, mutant):
        well, _, said = run(self.command, {'MUTANT': str(mutant.number)}, SECONDS + TIMES * self.seconds, self.stop)
        mutant.late, mutant.said = said.endswith(OUT_OF_TIME), ' | '.join(said.strip().split('\n')[-3:])
        return not well

    def kills(self, mutant):
        return self.fails_for(mutant) and (self.stop is not None or self.fails_for(mutant))


class Killer:
    """Tests that have their turn together."""

    def __init__(self, name, options, project):
        self.name, self.tests = name, []
        self.most = int(options.get('most', '1000000'))
        self.listed = options.getboolean('listed', False) or 'ALL' in os.environ
        self.stop = options['stop'].encode() if 'stop' in options else None
        self.command = options['command']
        if 'tests' not in options:
            self.tests.append(Test(name, project.words(self.command), self.stop))
        for pattern in options.get('tests', '').split():
            self.add_tests(os.path.join(project.tree, pattern), project.options.get('without', '').split(), project)

    def add_tests(self, pattern, without, project):
        for path in sorted(glob.glob(pattern)):
            with open(path) as file:
                names = ['/'.join(found) for found in re.findall(r'^TEST\((\w+), (\w+), ', file.read(), re.M)]
            for name in names:
                if not any(fnmatch.fnmatchcase(name, pattern) for pattern in without):
                    self.tests.append(Test(name, project.words(self.command, TEST=name), self.stop))


def killers_of(config, project):
    """The killers in their order; those that run the same test share it."""
    wanted = os.environ.get('KILLERS')
    killers, known = [], {}
    for section in config.sections():
        if section.startswith('killer ') and (wanted is None or section[7:] in wanted.split(',')):
            killer = Killer(section[7:], config[section], project)
            killer.tests = [known.setdefault(tuple(test.command), test) for test in killer.tests]
            killers.append(killer)
    return killers, list(known.values())


def in_parallel(work, items):
    """Calls work for each item, some at a time."""
    left, lock, errors = collections.deque(items), threading.Lock(), []

    def worker():
        while not errors:
            with lock:
                if not left:
                    return
                item = left.popleft()
            try:
                work(item)
            except BaseException as error: # also an exit, which is for the whole program
                errors.append(error)

    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def turns(killers, function):
    """The tests that reach the function, each with its killer, in the order in which to try them."""
    found = {}
    for killer in killers:
        reaching = [test for test in killer.tests if test.reached[function.index] and test not in found]
        reaching.sort(key=lambda test: (sum(test.reached), test.name))
        found.update((test, killer) for test in reaching[:killer.most])
    return found


def try_function(mutants, killers, log):
    """Sets each mutant's killer, or None."""
    found = turns(killers, mutants[0].function)
    lucky = [test for test in found if test.stop is None] # what stops at a word is the explorer, which has no luck
    recent = []
    for mutant in mutants:
        mutant.killer = None
        more = lucky * (0 if mutant.covering else CHANCES - 1)
        for test in recent + [test for test in found if test not in recent] + more:
            if (not mutant.covering or found[test].listed) and test.kills(mutant):
                mutant.killer = found[test]
                if test.seconds < QUICK:
                    recent = [test] + [other for other in recent if other is not test][:5]
                log(mutant, test)
                break
        else:
            log(mutant, None)


# ---- Equivalents ----------------------------------------------------------------------------------------------------------

class Entry:
    """One mutant of the list: its function, its line before and after, the reason, and where that stands."""

    def __init__(self, function, before, after, reason, where):
        self.function, self.before, self.after, self.reason, self.where = function, before, after, reason, where
        self.used = False

    def covers(self, mutant):
        return (mutant.function.name, mutant.before, mutant.after) == (self.function, self.before, self.after)


def read_equivalents(path):
    entries, reason, function, before = [], '', '', ''
    if not os.path.exists(path):
        return entries
    with open(path) as file:
        for number, line in enumerate(file, 1):
            line, where = line.rstrip('\n'), f'{os.path.basename(path)}:{number}'
            if line.startswith('== '):
                reason = reason + line[2:] if not before else line[3:]
                before = ''
            elif line.startswith('    => '):
                entries.append(Entry(function, before, line[7:], reason, where))
            elif line and not line.startswith('#'):
                function, _, before = line.partition(': ')
                if not reason:
                    sys.exit(f'{where}: no reason')
    return entries


# ---- The report -----------------------------------------------------------------------------------------------------------

def describe(mutant):
    return (f'{mutant.function.path}:{mutant.line}: {mutant.number} {mutant.operator}\n'
            f'    {mutant.function.name}: {mutant.before} => {mutant.after}')


def report(mutants, entries, whole):
    failed = 0
    by_operator, by_killer = collections.defaultdict(lambda: [0, 0, 0]), collections.Counter()
    for mutant in mutants:
        for entry in mutant.covering:
            entry.used = entry.used or mutant.killer is None
        column = 0 if mutant.killer else 1 if mutant.covering else 2
        by_operator[mutant.operator][column] += 1
        if mutant.killer:
            by_killer[mutant.killer.name] += 1
        if column == 2:
            failed += 1
            say('SURVIVES ' + describe(mutant))
    for entry in entries if whole else []:
        if not entry.used:
            failed += 1
            say(f'{entry.where}: listed, but there is no such mutant that survives: '
                f'{entry.function}: {entry.before} => {entry.after}')
    say(f'{"operator":12} {"killed":>7} {"equivalent":>10} {"survive":>7}')
    for operator, columns in sorted(by_operator.items()):
        say('{:12} {:7} {:10} {:7}'.format(operator, *columns))
    say('killed by: ' + ', '.join(f'{killer} {count}' for killer, count in by_killer.most_common()))
    killed, equivalent, surviving = (sum(columns) for columns in zip(*by_operator.values())) if by_operator else (0, 0, 0)
    say(f'summary: {killed} of {killed + surviving} mutants killed, {equivalent} are equivalent')
    say(f'{len(mutants) - failed} passed, {failed} failed')
    return failed


def main(arguments):
    began = time.monotonic()
    path = arguments[0] if arguments else os.path.join(ROOT, 'test/mutants/lib.conf')
    build = arguments[1] if len(arguments) > 1 else os.path.join(ROOT, 'build/mutants')
    numbers = {int(n) for n in arguments[2:]}
    config = configparser.ConfigParser(interpolation=None)
    config.read_file(open(path))
    project = Project(config, build)
    every = int(os.environ.get('EVERY', '1'))
    whole = not numbers and every == 1
    if numbers:
        project.mutants = [m for m in project.mutants if m.number in numbers]
    project.copy()
    project.check()
    project.make()
    if not numbers:
        project.leave_out_same()
        project.mutants = [m for m in project.mutants if m.number % every == 0]
    say(f'{len(project.mutants)} mutants in {len({m.function for m in project.mutants})} functions of '
        f'{len(project.texts)} files; left out: {len(project.invalid)} that do not compile, '
        f'{len(project.same)} with the code of another or of the function itself')
    for function in project.refused:
        say(f'not mutated: {function.path}: {function.name}: {function.why_not}')
    with open(project.build + '/table', 'w') as file:
        for m in project.mutants:
            file.write(f'{m.number}\t{m.function.path}:{m.line}\t{m.function.name}\t{m.operator}\t{m.before} => {m.after}\n')
    killers, tests = killers_of(config, project)
    say(f'built in {time.monotonic() - began:.0f} s')
    in_parallel(lambda test: test.learn(project), tests)
    say(f'{len(tests)} tests, known after {time.monotonic() - began:.0f} s')
    entries = read_equivalents(os.path.join(ROOT, project.options['equivalent']))
    by_function = collections.defaultdict(list)
    for mutant in project.mutants:
        mutant.covering = [entry for entry in entries if entry.covers(mutant)]
        by_function[mutant.function].append(mutant)
    with open(project.build + '/killed', 'w') as file:
        def log(mutant, test):
            survives = 'survives, as listed' if mutant.covering else 'survives'
            if numbers:
                say(describe(mutant) + '\n    ' + (f'{test.name}: {mutant.said}' if test else survives))
            file.write(f'{mutant.number}\t{test.name if test else "-"}\t{"late" if test and mutant.late else ""}\n')
            file.flush()
        groups = [group[i:i + SHARE] for group in by_function.values() for i in range(0, len(group), SHARE)]
        in_parallel(lambda group: try_function(group, killers, log), groups)
    failed = report(project.mutants, entries, whole)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
