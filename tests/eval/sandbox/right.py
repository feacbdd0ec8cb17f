"""Right programs with their tests, as people write them: functions, classes, errors, iterators, files, threads.

A line that begins with three dashes parts programs, one with three equals signs a program from its tests.
"""

from __future__ import annotations

TEXT = '''
def roman(n):
    out = ''
    for v, s in ((10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')):
        while n >= v: out, n = out + s, n - v
    return out
===
assert [roman(n) for n in (1, 4, 9, 14)] == ['I', 'IV', 'IX', 'XIV']
---
def same(items): return items
===
xs = [1, 2]
assert same(xs) is xs
---
def add(items, x): items.append(x)
===
xs = []
add(xs, 1); add(xs, 2)
assert xs == [1, 2]
---
def swap(pair): pair[0][0], pair[1][0] = pair[1][0], pair[0][0]
===
a, b = [1], [2]
swap((a, b))
assert (a, b) == ([2], [1])
---
def fill(grid):
    for row in grid: row[0] = 9
    return grid
===
row = [0, 1]
assert fill([row, row])[1] is row and row == [9, 1]
---
def double(d): return {k: v * 2 for k, v in d.items()}
===
from collections import Counter
assert double(Counter('aab')) == {'a': 4, 'b': 2}
---
from collections import Counter
def count(s): return Counter(s)
===
c = count('banana')
assert c.most_common(1) == [('a', 3)] and c['z'] == 0
---
from collections import defaultdict
def group(words):
    d = defaultdict(list)
    for w in words: d[w[0]].append(w)
    return d
===
g = group(['ab', 'ac', 'b'])
assert g['a'] == ['ab', 'ac'] and g['z'] == []
---
from collections import OrderedDict
def lru(keys):
    d = OrderedDict()
    for k in keys:
        d[k] = None
        d.move_to_end(k)
    return d
===
assert list(lru('aba')) == ['b', 'a']
---
from collections import namedtuple
Point = namedtuple('Point', 'x y')
def move(p, dx): return p._replace(x=p.x + dx)
===
p = move(Point(1, 2), 3)
assert p == (4, 2) and p.x == 4 and isinstance(p, Point)
---
from typing import NamedTuple
class P(NamedTuple):
    a: int
    b: str = 'x'
def make(n): return [P(i) for i in range(n)]
===
assert [p.a for p in make(3)] == [0, 1, 2] and make(1)[0].b == 'x'
---
from dataclasses import dataclass, field
@dataclass
class Cart:
    items: list = field(default_factory=list)
    def add(self, name, price): self.items.append((name, price))
    def total(self): return sum(p for _, p in self.items)
===
c = Cart()
c.add('a', 2); c.add('b', 3)
assert c.total() == 5
c.items.append(('c', 1))
assert c.total() == 6 and len(c.items) == 3
---
from dataclasses import dataclass
@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
===
assert Version(1, 2) < Version(1, 3) and Version(1, 2) == Version(1, 2)
assert len({Version(1, 2), Version(1, 2)}) == 1
assert sorted([Version(2, 0), Version(1, 0)])[0] == Version(1, 0)
---
class Stack:
    def __init__(self): self._items = []
    def push(self, x): self._items.append(x)
    def pop(self):
        if not self._items: raise IndexError('pop from empty stack')
        return self._items.pop()
    def __len__(self): return len(self._items)
===
s = Stack()
s.push(1); s.push([2])
assert len(s) == 2 and s.pop() == [2] and s.pop() == 1
try:
    s.pop()
    assert False
except IndexError as e:
    assert str(e) == 'pop from empty stack'
---
class InsufficientFunds(Exception):
    def __init__(self, need): super().__init__(f'need {need}'); self.need = need
class Account:
    def __init__(self, balance=0): self.balance = balance
    def withdraw(self, n):
        if n > self.balance: raise InsufficientFunds(n - self.balance)
        self.balance -= n
===
a = Account(10)
a.withdraw(3)
assert a.balance == 7
try:
    a.withdraw(9)
    assert False, 'no error'
except InsufficientFunds as e:
    assert e.need == 2 and str(e) == 'need 2'
---
import json
def parse(s): return json.loads(s)
===
try:
    parse('{')
    assert False
except ValueError as e:
    assert 'Expecting' in str(e)
---
def get(d, k): return d[k]
===
try:
    get({}, 'k')
    assert False
except KeyError as e:
    assert e.args == ('k',) and str(e) == "'k'"
---
def read(p):
    with open(p) as f: return f.read()
===
try:
    read('/no/such/file')
    assert False
except OSError as e:
    assert e.errno in (1, 2, 13)
---
class ParseError(ValueError): pass
def parse(s):
    if not s.isdigit(): raise ParseError(s)
    return int(s)
===
assert parse('12') == 12
try:
    parse('x')
    assert False
except ValueError:
    pass
---
def div(a, b):
    try: return a / b
    except ZeroDivisionError as e: raise ValueError('b is zero') from e
===
try:
    div(1, 0)
    assert False
except ValueError as e:
    assert 'zero' in str(e)
---
import math
def area(r):
    if r < 0: raise ValueError('negative')
    return math.pi * r * r
===
import math
assert math.isclose(area(2), 4 * math.pi)
for bad in (-1, -2.5):
    try:
        area(bad)
    except ValueError:
        continue
    assert False
---
def fib():
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b
===
import itertools
assert list(itertools.islice(fib(), 6)) == [0, 1, 1, 2, 3, 5]
---
def evens(n):
    for i in range(n):
        if i % 2 == 0: yield i
===
g = evens(5)
assert next(g) == 0 and list(g) == [2, 4]
---
def average():
    total = n = 0
    value = None
    while True:
        value = yield value
        total += value; n += 1
        value = total / n
===
g = average()
next(g)
assert g.send(10) == 10 and g.send(20) == 15
---
def chunks(xs, n):
    for i in range(0, len(xs), n): yield xs[i:i + n]
===
assert [*chunks([1, 2, 3], 2)] == [[1, 2], [3]]
---
def total(numbers): return sum(numbers)
===
assert total(x * x for x in range(4)) == 14
assert total(map(int, '123')) == 6
---
def apply(f, xs): return [f(x) for x in xs]
===
assert apply(lambda x: x + 1, [1, 2]) == [2, 3]
assert apply(str.upper, ['a']) == ['A'] and apply(len, ['ab']) == [2]
---
def compose(f, g): return lambda x: f(g(x))
===
inc = lambda x: x + 1
assert compose(inc, inc)(1) == 3
---
def memo(f):
    seen = {}
    def inner(*a):
        if a not in seen: seen[a] = f(*a)
        return seen[a]
    return inner
===
calls = []
def slow(x):
    calls.append(x)
    return x * x
fast = memo(slow)
assert [fast(3), fast(3), fast(4)] == [9, 9, 16] and calls == [3, 4]
---
import functools
def logged(log):
    def wrap(f):
        @functools.wraps(f)
        def inner(*a, **k):
            log.append(f.__name__)
            return f(*a, **k)
        return inner
    return wrap
===
log = []
def hello(name): return 'hi ' + name
hello = logged(log)(hello)
assert hello('you') == 'hi you' and log == ['hello']
---
def sort_by(xs, key): return sorted(xs, key=key, reverse=True)
===
assert sort_by(['a', 'ccc', 'bb'], len) == ['ccc', 'bb', 'a']
assert sort_by([1, -3, 2], lambda v: v * v) == [-3, 2, 1]
---
class Vector:
    def __init__(self, x, y): self.x, self.y = x, y
    def __add__(self, o): return Vector(self.x + o.x, self.y + o.y)
    def __eq__(self, o): return (self.x, self.y) == (o.x, o.y)
    def __repr__(self): return f'Vector({self.x}, {self.y})'
    def __neg__(self): return Vector(-self.x, -self.y)
    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5
    def __iter__(self): yield self.x; yield self.y
    def __bool__(self): return bool(self.x or self.y)
===
v = Vector(3, 4)
assert v + v == Vector(6, 8) and repr(-v) == 'Vector(-3, -4)'
assert abs(v) == 5 and tuple(v) == (3, 4) and not Vector(0, 0)
---
class Bag:
    def __init__(self, items): self.items = list(items)
    def __contains__(self, x): return x in self.items
    def __iter__(self): return iter(self.items)
    def __getitem__(self, i): return self.items[i]
===
b = Bag('abc')
assert 'a' in b and 'z' not in b and b[1] == 'b' and b[-2:] == ['b', 'c']
---
class Matrix:
    def __init__(self, rows): self.rows = rows
    def __matmul__(self, o):
        return Matrix([[sum(a * b for a, b in zip(r, c)) for c in zip(*o.rows)] for r in self.rows])
    def __eq__(self, o): return self.rows == o.rows
===
assert Matrix([[1, 2]]) @ Matrix([[3], [4]]) == Matrix([[11]])
---
class Timer:
    def __enter__(self): self.log = ['in']; return self
    def __exit__(self, *a): self.log.append('out'); return False
===
with Timer() as t:
    assert t.log == ['in']
assert t.log == ['in', 'out']
---
from contextlib import contextmanager
@contextmanager
def opened(log):
    log.append('open')
    yield len(log)
    log.append('close')
===
log = []
with opened(log) as n:
    assert n == 1
assert log == ['open', 'close']
---
class suppress:
    def __init__(self, kind): self.kind = kind
    def __enter__(self): return self
    def __exit__(self, kind, error, trace): return kind is not None
===
with suppress(KeyError):
    {}['x']
assert True
---
from enum import Enum
class Color(Enum):
    RED = 1
    BLUE = 2
    @classmethod
    def parse(cls, s): return cls[s.upper()]
===
assert Color.parse('red') is Color.RED and Color.RED.value == 1 and Color(2) == Color.BLUE
assert [c.name for c in Color] == ['RED', 'BLUE']
---
from enum import IntEnum
class Level(IntEnum):
    LOW = 1
    HIGH = 3
def worst(levels): return max(levels)
===
assert worst([Level.LOW, Level.HIGH]) == 3
---
from abc import ABC, abstractmethod
class Shape(ABC):
    @abstractmethod
    def area(self): ...
class Square(Shape):
    def __init__(self, s): self.s = s
    def area(self): return self.s ** 2
===
assert Square(3).area() == 9 and isinstance(Square(1), Shape) and issubclass(Square, Shape)
try:
    Shape()
    assert False
except TypeError:
    pass
---
class Temp:
    def __init__(self, c): self._c = c
    @property
    def f(self): return self._c * 9 / 5 + 32
    @f.setter
    def f(self, v): self._c = (v - 32) * 5 / 9
    @staticmethod
    def zero(): return Temp(0)
    @classmethod
    def of(cls, f):
        t = cls(0); t.f = f
        return t
===
t = Temp(100)
assert t.f == 212
t.f = 32
assert t._c == 0 and Temp.zero().f == 32 and Temp.of(212)._c == 100
---
class Node:
    def __init__(self, value, next=None): self.value, self.next = value, next
def build(xs):
    head = None
    for x in reversed(xs): head = Node(x, head)
    return head
def reverse(node):
    last = None
    while node: node.next, last, node = last, node, node.next
    return last
===
head = reverse(build([1, 2, 3]))
out = []
while head:
    out.append(head.value)
    head = head.next
assert out == [3, 2, 1]
---
class Tree:
    def __init__(self, v): self.v, self.children = v, []
def depth(t): return 1 + max(map(depth, t.children), default=0)
===
t = Tree(1)
t.children.append(Tree(2))
t.children[0].children.append(Tree(3))
assert depth(t) == 3
---
class Singleton:
    _one = None
    def __new__(cls):
        if cls._one is None: cls._one = super().__new__(cls)
        return cls._one
===
assert Singleton() is Singleton()
---
class Config:
    def __init__(self, **kw): self.__dict__.update(kw)
    def __getattr__(self, name): return f'<{name}>'
===
c = Config(a=1)
assert c.a == 1 and c.b == '<b>'
c.z = 3
assert c.z == 3 and hasattr(c, 'q')
---
class LRU:
    def __init__(self, n): self.n, self.d = n, {}
    def get(self, k):
        if k not in self.d: return -1
        v = self.d.pop(k); self.d[k] = v
        return v
    def put(self, k, v):
        self.d.pop(k, None); self.d[k] = v
        if len(self.d) > self.n: del self.d[next(iter(self.d))]
===
c = LRU(2)
c.put(1, 1); c.put(2, 2)
assert c.get(1) == 1
c.put(3, 3)
assert c.get(2) == -1 and c.get(3) == 3
---
class Grid(dict):
    def __missing__(self, k): return 0
def make(): return Grid({(0, 0): 1})
===
assert make() == {(0, 0): 1}
---
from datetime import date, datetime, timedelta, time
def later(d, n): return d + timedelta(days=n)
def gap(a, b): return b - a
def clock(h): return time(h, 30)
===
from datetime import date, datetime, timedelta, time
assert later(date(2024, 2, 28), 2) == date(2024, 3, 1)
assert gap(datetime(2024, 1, 1), datetime(2024, 1, 2, 1)) == timedelta(days=1, hours=1)
assert clock(7) == time(7, 30) and gap(date(2024, 1, 1), date(2024, 1, 3)).days == 2
---
from datetime import datetime, timezone, timedelta
def stamp(h): return datetime(2024, 1, 1, h, tzinfo=timezone.utc)
===
from datetime import datetime, timezone
assert stamp(3) == datetime(2024, 1, 1, 3, tzinfo=timezone.utc)
---
from decimal import Decimal
def vat(x): return (Decimal(x) * Decimal('1.19')).quantize(Decimal('0.01'))
===
from decimal import Decimal
assert vat('10') == Decimal('11.90')
---
from fractions import Fraction
def half(x): return Fraction(x) / 2
===
from fractions import Fraction
assert half(3) == Fraction(3, 2) == 1.5
---
from pathlib import Path
def name(p): return Path(p).with_suffix('.txt')
===
from pathlib import Path
assert name('a/b.md') == Path('a/b.txt') and name('x.y').name == 'x.txt'
---
import uuid
def ident(s): return uuid.uuid5(uuid.NAMESPACE_DNS, s)
===
import uuid
assert ident('a') == uuid.uuid5(uuid.NAMESPACE_DNS, 'a') and ident('a').version == 5
---
from array import array
def ints(xs): return array('i', xs)
===
from array import array
assert ints([1, 2]) == array('i', [1, 2]) and ints([3])[0] == 3
---
def window(i, n): return slice(i, i + n)
===
assert [1, 2, 3, 4][window(1, 2)] == [2, 3] and window(1, 2) == slice(1, 3)
---
from collections import deque
def rotate(xs, n):
    d = deque(xs, maxlen=3)
    d.rotate(n)
    return d
===
d = rotate([1, 2, 3], 1)
assert list(d) == [3, 1, 2] and d.maxlen == 3
---
import heapq
def push(heap, x):
    heapq.heappush(heap, x)
    return heap[0]
===
h = []
assert [push(h, x) for x in (3, 1, 2)] == [3, 1, 1] and sorted(h) == [1, 2, 3]
---
def uniq(xs): return list(dict.fromkeys(xs))
===
assert uniq('banana') == ['b', 'a', 'n']
---
def to_tuple(s): return tuple(s)
===
assert set(to_tuple({3, 1, 2})) == {1, 2, 3}
assert to_tuple(frozenset([7])) == (7,)
---
def invert(d): return {v: k for k, v in d.items()}
===
d = {'a': 1}
assert invert(d) == {1: 'a'} and d == {'a': 1}
---
def flatten(x):
    for i in x:
        if isinstance(i, (list, tuple)): yield from flatten(i)
        else: yield i
===
assert list(flatten([1, (2, [3]), []])) == [1, 2, 3]
---
def merge(a, b):
    a.update(b)
    return a
===
x = {'k': [1]}
y = merge(x, {'z': 2})
assert y is x and x['z'] == 2
x['k'].append(5)
assert y['k'] == [1, 5]
---
def remove(xs, bad):
    for b in bad: xs.discard(b)
===
s = {1, 2, 3}
remove(s, [2])
assert s == {1, 3}
---
def encode(b): b[0] ^= 255
===
data = bytearray(b'ab')
encode(data)
assert data[0] == 158
---
def words(path):
    with open(path) as f: return f.read().split()
def save(path, text):
    with open(path, 'w') as f: f.write(text)
===
import io
assert io.StringIO('a b').read().split() == ['a', 'b']
---
import tempfile, os
def roundtrip(text):
    with tempfile.NamedTemporaryFile('w', delete=False) as f: f.write(text)
    with open(f.name) as g: out = g.read()
    os.unlink(f.name)
    return out
===
assert roundtrip('hello') == 'hello'
---
import sqlite3
def rows():
    db = sqlite3.connect(':memory:')
    db.execute('create table t (a int)')
    db.executemany('insert into t values (?)', [(1,), (2,)])
    return db.execute('select sum(a) from t').fetchall()
===
assert rows() == [(3,)]
---
import threading
def run(n):
    out, lock = [], threading.Lock()
    def work(i):
        with lock: out.append(i)
    ts = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    [t.start() for t in ts]; [t.join() for t in ts]
    return sorted(out)
===
assert run(32) == list(range(32))
---
from concurrent.futures import ThreadPoolExecutor
def squares(xs):
    with ThreadPoolExecutor(4) as pool: return list(pool.map(lambda x: x * x, xs))
===
assert squares([1, 2, 3]) == [1, 4, 9]
---
import asyncio
async def get(x):
    await asyncio.sleep(0)
    return x * 2
def main(xs): return asyncio.run(many(xs))
async def many(xs): return await asyncio.gather(*map(get, xs))
===
assert main([1, 2]) == [2, 4]
---
import asyncio
async def get(x):
    await asyncio.sleep(0)
    return x * 2
===
import asyncio
assert asyncio.run(get(2)) == 4
---
import re
def dates(s): return re.findall(r'\\d{4}-\\d\\d', s)
def first(s): return re.search('[a-z]+', s)
===
assert dates('2024-01 x 2023-12') == ['2024-01', '2023-12']
m = first('12 ab')
assert m.group() == 'ab' and m.start() == 3 and first('1') is None
---
import random
def deal(seed):
    r = random.Random(seed)
    return [r.randint(1, 6) for _ in range(3)]
===
assert deal(1) == deal(1) and len(deal(2)) == 3
---
import string, textwrap
def caesar(s, n): return ''.join(chr((ord(c) - 97 + n) % 26 + 97) if c in string.ascii_lowercase else c for c in s)
===
assert caesar('abz!', 1) == 'bca!' and caesar(caesar('hello', 3), -3) == 'hello'
---
import copy
def clone(x): return copy.deepcopy(x)
===
a = [[1]]
b = clone(a)
assert b == a and b is not a and b[0] is not a[0]
---
def shallow(x): return list(x)
===
a = [[1]]
b = shallow(a)
assert b is not a and b[0] is a[0]
---
def f(a, *args, key=1, **kw): return a, args, key, kw
===
assert f(1) == (1, (), 1, {}) and f(1, 2, key=3, z=4) == (1, (2,), 3, {'z': 4})
---
def default(x, acc=None):
    acc = [] if acc is None else acc
    acc.append(x)
    return acc
===
assert default(1) == [1] and default(2) == [2]
---
def nothing(): pass
===
assert nothing() is None
---
def is_even(n): return n % 2 == 0
===
assert is_even(2) is True and is_even(3) is False
---
def big(n): return 2 ** n
===
assert big(200) == 1 << 200 and big(10) == 1024
---
def roots(a, b, c):
    d = (b * b - 4 * a * c) ** 0.5
    return (-b + d) / (2 * a), (-b - d) / (2 * a)
===
assert all(abs(x - y) < 1e-9 for x, y in zip(roots(1, -3, 2), (2, 1)))
---
"""A module."""
def greet(name: str) -> str:
    """Greet somebody."""
    return f'Hello, {name}!'
===
assert greet('you') == 'Hello, you!' and greet.__doc__ == 'Greet somebody.' and greet.__name__ == 'greet'
---
def primes(n):
    sieve = [True] * (n + 1)
    for i in range(2, n + 1):
        if sieve[i]:
            yield i
            for j in range(i * i, n + 1, i): sieve[j] = False
===
assert list(primes(20)) == [2, 3, 5, 7, 11, 13, 17, 19]
assert sum(1 for _ in primes(1000)) == 168
---
class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n == 0: raise StopIteration
        self.n -= 1
        return self.n + 1
===
assert list(Countdown(3)) == [3, 2, 1] and sum(Countdown(4)) == 10
---
class Money:
    def __init__(self, cents): self.cents = cents
    def __lt__(self, o): return self.cents < o.cents
    def __hash__(self): return hash(self.cents)
    def __eq__(self, o): return isinstance(o, Money) and self.cents == o.cents
    def __str__(self): return f'{self.cents / 100:.2f}'
    def __format__(self, spec): return str(self)
===
assert max(Money(1), Money(3)) == Money(3) and {Money(1): 'a'}[Money(1)] == 'a'
assert f'{Money(150)}' == '1.50' and Money(1) != 1 and Money(2) in [Money(2)]
---
class Money:
    def __init__(self, n): self.n = n
    def __add__(self, o): return Money(self.n + (o.n if isinstance(o, Money) else o))
    def __mul__(self, k): return Money(self.n * k)
===
assert (Money(2) + 3).n == 5 and (Money(2) * 4).n == 8
---
class Events:
    def __init__(self): self.handlers = {}
    def on(self, name, f): self.handlers.setdefault(name, []).append(f)
    def fire(self, name, *a): return [f(*a) for f in self.handlers.get(name, [])]
===
seen = []
e = Events()
e.on('x', seen.append)
e.on('x', lambda v: v + 1)
assert e.fire('x', 1) == [None, 2] and seen == [1]
---
def retry(f, n):
    for i in range(n):
        try: return f(i)
        except ValueError: pass
    raise RuntimeError('gave up')
===
def flaky(i):
    if i < 2: raise ValueError(i)
    return i
assert retry(flaky, 5) == 2
try:
    retry(flaky, 1)
    assert False
except RuntimeError as e:
    assert str(e) == 'gave up'
---
class Inventory:
    def __init__(self): self.stock = {}
    def add(self, name, n):
        if n <= 0: raise ValueError(f'bad amount: {n}')
        self.stock[name] = self.stock.get(name, 0) + n
===
i = Inventory()
i.add('a', 2); i.add('a', 1)
assert i.stock == {'a': 3} and i.stock['a'] == 3
i.stock['b'] = 1
assert 'b' in i.stock and sorted(i.stock) == ['a', 'b']
---
def matrix(n): return [[i * n + j for j in range(n)] for i in range(n)]
def transpose(m): return [list(r) for r in zip(*m)]
===
m = matrix(3)
assert transpose(transpose(m)) == m and transpose(m)[0] == [0, 3, 6]
---
def lazy(xs): return map(str, xs)
def pairs(a, b): return zip(a, b)
def rev(x): return reversed(x)
===
assert list(lazy([1, 2])) == ['1', '2'] and dict(pairs('ab', [1, 2])) == {'a': 1, 'b': 2}
assert list(rev([1, 2])) == [2, 1]
---
def view(d): return d.keys(), d.values(), d.items()
===
k, v, i = view({'a': 1})
assert list(k) == ['a'] and list(v) == [1] and ('a', 1) in i
---
def parse(s):
    out = {}
    for part in s.split('&'):
        k, _, v = part.partition('=')
        out.setdefault(k, []).append(v)
    return out
===
assert parse('a=1&b=2&a=3') == {'a': ['1', '3'], 'b': ['2']}
---
import operator, functools
def product(xs): return functools.reduce(operator.mul, xs, 1)
===
assert product([2, 3, 4]) == 24 and product([]) == 1
---
from functools import lru_cache, partial
@lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
add = lambda a, b: a + b
inc = partial(add, 1)
===
assert fib(80) == 23416728348467685 and inc(2) == 3 and fib.cache_info().hits > 0
---
class Poly:
    def __init__(self, *c): self.c = c
    def __call__(self, x): return sum(a * x ** i for i, a in enumerate(self.c))
===
p = Poly(1, 2)
assert p(3) == 7 and callable(p)
---
def snapshot(log):
    log.append(len(log))
    return tuple(log)
===
log = []
first = snapshot(log)
second = snapshot(log)
assert first == (0,) and second == (0, 1) and log == [0, 1]
---
class Parent:
    def who(self): return 'parent'
class Child(Parent):
    def who(self): return 'child of ' + super().who()
===
c = Child()
assert c.who() == 'child of parent' and isinstance(c, Parent) and type(c) is Child
assert c.__class__.__name__ == 'Child'
---
def grade(score):
    match score:
        case int() if score >= 90: return 'A'
        case int(): return 'B'
        case _: raise TypeError(score)
===
assert grade(95) == 'A' and grade(1) == 'B'
try:
    grade('x')
except TypeError:
    pass
else:
    raise AssertionError('no error')
'''


def programs() -> list[tuple[str, str]]:
    """Each program and its tests."""
    pairs = (part.partition("\n===\n") for part in TEXT.strip("\n").split("\n---\n"))
    return [(f"{code}\n", f"{tests}\n") for code, _, tests in pairs]
