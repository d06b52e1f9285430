# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Makes mutants of C sources, all of them in one copy of the sources: what mutants.py works with.
#
# A mutant is a function with one small mistake.  Each gets a copy of its function, and the function itself begins with a
# look at the number of the mutant that was chosen for this run of the program, and goes to that copy:
#
#     static bool is_live__m17(const duct_case *c) { ... }
#     static bool is_live(const duct_case *c)
#     {
#             if (MUTANTS_ARE_AT(17, 18)) switch (mutant_chosen) { case 17: return is_live__m17(c); ... }
#
# So all mutants are built at once, and to try one costs no more than to run a program.  The sources are read by their layout:
# a function's head begins at column 0, and its body lies between a { and a } that stand alone there.
#
# The numbers that say which is chosen are const for the compiler, so -fsanitize=thread leaves the looks at them alone, and
# a program that is run under an explorer of schedules meets no more points than before.
import fnmatch
import re

TOKEN = re.compile(
    r'(?P<space>\s+)|(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<line>(?m:^)[ \t]*\#(?:[^\n\\]|\\.)*)'
    r'|(?P<name>[A-Za-z_]\w*)|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)'
    r'|(?P<string>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
    r'|(?P<sign>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)', re.S)

RELATIONS = {'<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'], '==': ['!='], '!=': ['==']}
LOGIC = {'&&', '||'}
ARITHMETIC = {'+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '<<': '>>', '>>': '<<', '&': '|', '|': '&', '^': '&',
              '++': '--', '--': '++', '+=': '-=', '-=': '+=', '*=': '/=', '/=': '*=', '&=': '|=', '|=': '&='}
ASSIGNMENTS = {'=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>='}
WEAKER = {'load_acquire': 'load_relaxed', 'store_release': 'store_relaxed',
          'memory_order_seq_cst': 'memory_order_relaxed', 'memory_order_acq_rel': 'memory_order_relaxed',
          'memory_order_acquire': 'memory_order_relaxed', 'memory_order_release': 'memory_order_relaxed'}
RELAXABLE = {'atomic_load': 1, 'atomic_store': 1, 'atomic_exchange': 1, 'atomic_fetch_add': 1, 'atomic_fetch_sub': 1,
             'atomic_compare_exchange_strong': 2, 'atomic_compare_exchange_weak': 2}
EXCHANGES = {'atomic_compare_exchange_strong', 'atomic_compare_exchange_weak'}
TYPES = {'void', 'char', 'short', 'int', 'long', 'unsigned', 'signed', 'float', 'double', 'bool', 'const', 'volatile',
         'struct', 'union', 'enum', 'static', 'register', '_Alignas', '_Atomic', '_Thread_local'}
NO_TYPE = {'return', 'else', 'case', 'goto', 'sizeof', 'do', 'if', 'while', 'for', 'switch', 'break', 'continue'}


class Token:
    def __init__(self, kind, text, begin):
        self.kind, self.text, self.begin, self.end = kind, text, begin, begin + len(text)


def tokens_of(text):
    """The tokens that mean something; comments, spaces and lines for the preprocessor are left out."""
    return [Token(m.lastgroup, m.group(), m.start()) for m in TOKEN.finditer(text)
            if m.lastgroup not in ('space', 'comment', 'line')]


def partners(tokens):
    """For each bracket the index of the one that belongs to it."""
    match, stack = {}, []
    for i, token in enumerate(tokens):
        if token.text in ('(', '[', '{'):
            stack.append(i)
        elif token.text in (')', ']', '}') and stack:
            match[i] = stack.pop()
            match[match[i]] = i
    return match


class Function:
    """One function of a source: its head and body as text, and where they lie."""

    def __init__(self, path, head, body, line, body_line):
        self.path, self.head, self.body, self.line, self.body_line = path, head, body, line, body_line
        self.why_not = ''
        self.parse_head()

    def parse_head(self):
        tokens = tokens_of(self.head)
        match = partners(tokens)
        opening = next((i for i, t in enumerate(tokens) if t.text == '(' and i > 0 and tokens[i - 1].kind == 'name'
                        and tokens[i - 1].text not in ('__attribute__', '_Alignas')), None)
        if opening is None:
            self.name, self.why_not = self.head.strip(), 'not a head that this program can read'
            return
        self.name = tokens[opening - 1].text
        # The parts of the head that a copy does not need: the copy is static and is never inlined.
        kept = [t.text for t in tokens[:opening - 1] if t.text not in ('static', 'inline', 'extern', 'NOINLINE')]
        self.result = ' '.join(kept)
        self.parameters = self.head[tokens[opening].begin:tokens[match[opening]].end]
        self.arguments = []
        if '...' in [t.text for t in tokens]:
            self.why_not = 'variable arguments'
        if match[opening] != len(tokens) - 1:
            self.why_not = 'more in its head than arguments'
        self.read_arguments(tokens[opening + 1:match[opening]])

    def read_arguments(self, tokens):
        depth, part, parts = 0, [], []
        for token in tokens:
            depth += token.text in ('(', '[')
            depth -= token.text in (')', ']')
            if token.text == ',' and depth == 0:
                parts.append(part)
                part = []
            else:
                part.append(token)
        parts.append(part)
        for part in parts:
            names = [t.text for t in part if t.kind == 'name']
            if names in ([], ['void']):
                continue
            pointer = next((i for i in range(len(part) - 2) if part[i].text == '(' and part[i + 1].text == '*'), None)
            self.arguments.append(part[pointer + 2].text if pointer is not None else names[-1])


def functions_of(path, text):
    """All functions of a source, by the layout."""
    lines = text.split('\n')
    found = []
    for i, line in enumerate(lines):
        if line != '{':
            continue
        first = i
        while first > 0 and lines[first - 1] and not re.match(r'#|.*(\*/|;|\}|\\)$', lines[first - 1]):
            first -= 1
        last = lines.index('}', i)
        found.append(Function(path, '\n'.join(lines[first:i]), '\n'.join(lines[i + 1:last]), first + 1, i + 2))
        found[-1].lines = (first, i, last)
    return found


class Mutant:
    """One mistake: edits of a function's body, each (begin, end, text)."""

    def __init__(self, function, operator, edits):
        self.function, self.operator, self.edits = function, operator, edits
        self.number = 0
        body = function.body
        self.line = function.body_line + body.count('\n', 0, edits[0][0])
        begin = body.rfind('\n', 0, edits[0][0]) + 1
        end = body.find('\n', edits[-1][1])
        end = len(body) if end < 0 else end
        self.before = ' '.join(body[begin:end].split())
        self.after = ' '.join(self.apply(begin, end).split())

    def apply(self, begin=0, end=None):
        body, out = self.function.body, ''
        for edit_begin, edit_end, text in self.edits:
            out += body[begin:edit_begin] + text
            begin = edit_end
        return out + body[begin:len(body) if end is None else end]


class Sites:
    """Finds all mutants of one function."""

    def __init__(self, function, options):
        self.function, self.options = function, options
        self.tokens = tokens_of(function.body)
        self.match = partners(self.tokens)
        self.skipped = set()
        self.mutants = []
        self.swaps = {}
        for pair in options.get('swaps', '').split():
            one, other = pair.split(':')
            self.swaps.setdefault(one, []).append(other)
            if '>' not in pair:
                self.swaps.setdefault(other, []).append(one)
        self.replacements = {}
        for rule in options.get('replacements', '').split():
            one, others = rule.split(':')
            self.replacements[one] = others.split(',')

    def text(self, i):
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ''

    def add(self, operator, *edits):
        """Each edit: index of its first token, index of its last, text."""
        self.mutants.append(Mutant(self.function, operator,
                                   [(self.tokens[a].begin, self.tokens[b].end, text) for a, b, text in edits]))

    def source(self, a, b):
        return self.function.body[self.tokens[a].begin:self.tokens[b].end]

    # Statements

    def find(self):
        self.statements()
        for i in range(len(self.tokens)):
            if i not in self.skipped:
                self.at(i)
        # By place, so that the numbers follow the source.
        self.mutants.sort(key=lambda m: (m.edits[0][0], m.edits[-1][1]))
        return self.mutants

    def end_of(self, i):
        """The index of the ; that ends the statement at i."""
        while i < len(self.tokens) and self.text(i) != ';':
            i = self.match.get(i, i) + 1
        return i

    def is_declaration(self, i):
        if self.text(i) in TYPES or self.text(i).endswith('_t'):
            return True
        if self.tokens[i].kind != 'name' or self.text(i) in NO_TYPE:
            return False
        i += 1
        while self.text(i) == '*':
            i += 1
        return i < len(self.tokens) and self.tokens[i].kind == 'name' and self.text(i + 1) in ('=', ';', ',', '[')

    def statements(self):
        i, count = 0, len(self.tokens)
        dos = []
        while i < count:
            text = self.text(i)
            if text in ('if', 'while', 'for', 'switch') and self.text(i + 1) == '(':
                close = self.match[i + 1]
                self.head(i, close, dos)
                i = close + 1
            elif text in ('{', '}', ';', 'else', 'do'):
                if text == 'do':
                    dos.append(i)
                i += 1
            elif text in ('case', 'default'):
                while self.text(i) != ':':
                    i += 1
                i += 1
            else:
                end = self.end_of(i)
                self.statement(i, end)
                i = end + 1

    def head(self, i, close, dos):
        condition = self.source(i + 2, close - 1) if close > i + 2 else ''
        if self.text(i) == 'while' and self.text(close + 1) == ';' and dos:
            dos.pop()
            self.add('negation', (i + 2, close - 1, '!(' + condition + ')'))
            self.add('loop', (i + 2, close - 1, '0'))
        elif self.text(i) in ('if', 'while'):
            self.add('negation', (i + 2, close - 1, '!(' + condition + ')'))
            if self.text(i) == 'while':
                self.add('loop', (i, i, 'if'))
        elif self.text(i) == 'for':
            first = self.end_of(i + 2)
            second = self.end_of(first + 1)
            if second > first + 1:
                self.add('negation', (first + 1, second - 1, '!(' + self.source(first + 1, second - 1) + ')'))

    def is_untouched(self, i, end):
        """A call that is to stay, a table, or a parameter that is not used."""
        text = self.source(i, end)
        return (self.text(i) in self.options.get('untouched', '').split() or text.startswith('static const ')
                or text.startswith('(void)') and end - i == 4)

    def statement(self, i, end):
        text = self.text(i)
        if self.is_untouched(i, end):
            self.skipped.update(range(i, end + 1))
        elif text == 'return':
            if end < len(self.tokens) - 1:
                self.add('jump', (i, end, ';'))
            value = self.source(i + 1, end - 1) if end > i + 1 else ''
            known = ('', 'NULL', 'true', 'false', *self.replacements)
            if value not in known and self.tokens[i + 1].kind != 'number':
                self.add('result', (i + 1, end - 1, '0'))
        elif text in ('break', 'continue', 'goto'):
            self.add('jump', (i, end, ';'))
        elif not self.is_declaration(i):
            self.add('statement', (i, end, ';'))

    # Expressions

    def left(self, i, stops):
        """The index of the first token of the operand that ends before i."""
        while i > 0:
            previous = self.text(i - 1)
            if previous in ('(', '[', '{', ',', ';', 'return', ':', '?', '}') or previous in ASSIGNMENTS or previous in stops:
                break
            i = self.match.get(i - 1, i - 1)
        return i

    def right(self, i, stops):
        while i + 1 < len(self.tokens):
            following = self.text(i + 1)
            if following in (')', ']', '}', ',', ';', ':', '?') or following in stops:
                break
            i = self.match.get(i + 1, i + 1)
        return i

    def is_binary(self, i):
        before = self.tokens[i - 1] if i > 0 else None
        if before is None or before.text in NO_TYPE:
            return False
        if before.text == ')':
            return not self.is_cast(self.match[i - 1], i - 1)
        return before.kind in ('name', 'number', 'string') or before.text == ']'

    def is_cast(self, begin, end):
        if begin > 0 and self.tokens[begin - 1].kind == 'name' and self.text(begin - 1) not in NO_TYPE:
            return False
        inside = self.tokens[begin + 1:end]
        return bool(inside) and (inside[-1].text == '*' or all(
            t.text in TYPES or t.text.endswith('_t') or t.text == '*' for t in inside)
            or inside[0].text in ('struct', 'const'))

    def at(self, i):
        token, text = self.tokens[i], self.text(i)
        if text in RELATIONS:
            for other in RELATIONS[text]:
                self.add('relation', (i, i, other))
        elif text in LOGIC:
            stops = ('||', '&&') if text == '&&' else ('||',)
            first, last = self.left(i, stops), self.right(i, stops)
            self.add('operand', (first, i, ''))
            self.add('operand', (i, last, ''))
        elif text == '?':
            first = self.left(i, ())
            self.add('negation', (first, i - 1, '!(' + self.source(first, i - 1) + ')'))
        elif text == '!':
            self.add('negation', (i, i, ''))
        elif text in ('++', '--', '+=', '-=', '*=', '/=', '&=', '|='):
            self.add('arithmetic', (i, i, ARITHMETIC[text]))
        elif text in ARITHMETIC and self.is_binary(i) and self.text(i + 1) != '*':  # /* would begin a comment
            self.add('arithmetic', (i, i, ARITHMETIC[text]))
        elif token.kind == 'number':
            self.number(i)
        elif token.kind == 'name':
            self.name(i)

    def number(self, i):
        digits = re.match(r'(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)$', self.text(i))
        if not digits:
            return
        value, suffix = int(digits.group(1), 0), digits.group(2)
        for other in {0: [1], 1: [0, 2]}.get(value, [value - 1, value + 1]):
            self.add('constant', (i, i, str(other) + suffix))

    def name(self, i):
        text = self.text(i)
        if text in ('true', 'false'):
            self.add('constant', (i, i, 'false' if text == 'true' else 'true'))
        if text in WEAKER:
            self.add('order', (i, i, WEAKER[text]))
        if text in RELAXABLE and self.text(i + 1) == '(':
            close = self.match[i + 1]
            self.add('order', (i, i, text + '_explicit'), (close, close, ', memory_order_relaxed' * RELAXABLE[text] + ')'))
        if text in EXCHANGES:
            close = self.match[i + 1]
            self.add('exchange', (i, i, '(' + text), (close, close, '), true)'))
        for other in self.replacements.get(text, []):
            self.add('status', (i, i, other))
        for other in self.swaps.get(text, []):
            self.add('side', (i, i, other))


HEADER = '''/* Which mutant runs: see mutate.py. */
#ifndef MUTANT_H
#define MUTANT_H
extern const int mutant_low, mutant_high, mutant_chosen;
__attribute__((no_sanitize("thread"))) void mutant_reach(int function);
#define MUTANTS_ARE_AT(low_, high_) __builtin_expect(mutant_low <= (high_) && mutant_high >= (low_), 0)
#endif
'''

SOURCE = '''/* Which mutant runs: MUTANT in the environment.  With MUTANTS_REACHED: which functions are reached, a byte each. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

int mutant_low, mutant_high, mutant_chosen;
static unsigned char *reached;

__attribute__((no_sanitize("thread"))) void mutant_reach(int function)
{
	if (reached != NULL)
		reached[function] = 1;
}

__attribute__((no_sanitize("thread"), constructor(101))) static void choose(void)
{
	const char *text = getenv("MUTANT"), *file = getenv("MUTANTS_REACHED"), *cpu = getenv("MUTANT_CPU");

	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (cpu != NULL)
		setrlimit(RLIMIT_CPU, &(struct rlimit){ (rlim_t)atoi(cpu), (rlim_t)atoi(cpu) });
	if (text != NULL)
		mutant_low = mutant_high = mutant_chosen = atoi(text);
	if (file != NULL) {
		mutant_high = INT_MAX;
		reached = mmap(NULL, FUNCTIONS, PROT_READ | PROT_WRITE, MAP_SHARED, open(file, O_RDWR), 0);
	}
}
'''


def copy_of(function, number, body, tag):
    suffix = f'__m{number}' if tag != 'p' else f'__p{number}'
    return (f'#line 1 "mutant:{number if tag != "p" else 0}"\n'
            f'static __attribute__((noipa, unused)) {function.result} {function.name}{suffix}{function.parameters}\n'
            f'{{\n{body}\n}}\n')


def dispatch(function, mutants):
    void = function.result == 'void'
    arguments = ', '.join(function.arguments)
    low, high = mutants[0].number, mutants[-1].number

    def go(suffix):
        call = f'{function.name}{suffix}({arguments})'
        return f'{call}; return;' if void else f'return {call};'
    cases = [f'case {m.number}: {go(f"__m{m.number}")}' for m in mutants]
    cases.append(f'case -{low}: {go(f"__p{low}")}')
    cases.append(f'default: mutant_reach({function.index});')
    return f'if (MUTANTS_ARE_AT({low}, {high})) switch (mutant_chosen) {{ {" ".join(cases)} }}\n'


def mutated_source(path, text, functions, chosen):
    """The source with all mutants of chosen, {function: mutants}, in it."""
    lines = text.split('\n')
    out, at = ['#include "mutant.h"', f'#line 1 "{path}"'], 0
    for function in functions:
        mutants = chosen.get(function)
        if not mutants:
            continue
        first, brace, last = function.lines
        out += lines[at:first]
        out.append(function.head + ';')
        out.append(copy_of(function, mutants[0].number, function.body, 'p'))
        out += [copy_of(function, m.number, m.apply(), 'm') for m in mutants]
        out.append(f'#line {first + 1} "{path}"')
        out += lines[first:brace + 1]
        out.append(dispatch(function, mutants) + f'#line {brace + 2} "{path}"')
        at = brace + 1
    out += lines[at:]
    return '\n'.join(out)


def find_mutants(sources, options):
    """All functions and mutants of sources, {path: text}, numbered."""
    functions, mutants, refused = [], [], []
    skip = options.get('skip', '').split()
    for path in sorted(sources):
        for function in functions_of(path, sources[path]):
            function.index = len(functions)
            functions.append(function)
            if any(fnmatch.fnmatch(function.name, pattern) for pattern in skip):
                function.why_not = 'skipped by the configuration'
            if 'asm' in function.body:
                function.why_not = 'inline assembly'
            if function.why_not:
                refused.append(function)
                continue
            seen = {function.body}
            for mutant in Sites(function, options).find():
                if mutant.apply() not in seen:
                    seen.add(mutant.apply())
                    mutants.append(mutant)
    for number, mutant in enumerate(mutants, 1):
        mutant.number = number
    tell_apart(mutants)
    return functions, mutants, refused


def tell_apart(mutants):
    """Marks the lines that a function has more than once: [2/3] is the second of three."""
    lines = {}
    for mutant in mutants:
        same = lines.setdefault((mutant.function, mutant.before), [])
        if mutant.line not in same:
            same.append(mutant.line)
    for mutant in mutants:
        same = lines[mutant.function, mutant.before]
        if len(same) > 1:
            mutant.before += f' [{same.index(mutant.line) + 1}/{len(same)}]'
