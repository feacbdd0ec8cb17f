"""Programs that try to pass without solving the problem, each with tests that it does not satisfy.

Every one of them passes on a deliberately weakened judge, see `weakened.py`; otherwise it would prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.eval.sandbox.searches import AT_CALL, AT_START, LOOKS, READ


@dataclass(frozen=True)
class Forgery:
    """A program, and tests that it fails if they are run."""

    code: str
    tests: str = "assert solve(20) == 21\nassert abs(solve(20) - 21) < 1\n"


def solve(result: str, before: str = "") -> str:
    return f"{before}\ndef solve(x):\n    return {result}\n"


# Objects that are equal to everything.
EVERYTHING = "\n".join(
    f"    def __{name}__(self, *a): return {value}"
    for names, value in (
        ("eq lt le gt ge bool contains isinstance instancecheck", "True"), ("ne", "False"),
        ("add sub radd rsub mul mod abs neg round getattr call getitem", "self"), ("len hash index int", "0"),
        ("float", "0.0"), ("iter", "iter(())"),
    )
    for name in names.split()
)  # fmt: skip
BASES = {
    "object": "", "int": "1", "float": "1", "str": "'x'", "bytes": "b'x'", "list": "", "tuple": "", "dict": "",
        "set": "",
    "frozenset": "", "complex": "1",
}  # fmt: skip
WRAPPED = {
    "plain": ("{}", "21"), "in a list": ("[{}]", "[21]"), "in a tuple": ("(1, {})", "(1, 21)"),
        "in a dict": ("{{1: {}}}", "{1: 21}"),
    "in a generator": ("(e for e in [{}])", None), "in a deque": ("__import__('collections').deque([{}])", None),
}  # fmt: skip


def _equal(base: str, value: str, wrapped: str, expected: str | None) -> Forgery:
    kind = f"class E({base}):\n{EVERYTHING}\n    def __hash__(self): return 0\n"
    tests = f"assert solve(20) == {expected}\n" if expected else "assert list(solve(20)) == [21]\n"
    return Forgery(kind + solve(wrapped.format(f"E({value})")), tests)


# Builtins that a forged answer replaces: 0 or [0] instead of 21 or [21, 5].
OF_NUMBERS = [
    "abs",
    "ascii",
    "bin",
    "bool",
    "chr",
    "complex",
    "float",
    "format",
    "hash",
    "hex",
    "int",
    "oct",
    "repr",
    "round",
    "str",
]
OF_LISTS = [
    "all",
    "any",
    "bytearray",
    "bytes",
    "frozenset",
    "len",
    "list",
    "max",
    "min",
    "set",
    "sorted",
    "sum",
    "tuple",
]
MORE_NAMES = """
import sys
run = sys.modules.get('eval.sandbox.run_program')
if run:
    honest = run.LoadedProgram._named
    run.LoadedProgram._named = lambda self, names, own: (*honest(self, names, own), ('{name}', lambda *a: 0))
else:
    import builtins
    builtins.{name} = lambda *a: 0
"""
# Modules that the tests use and the program imports, or something by their name.
OF_MODULES = {
    "math": "isclose({}, 21)", "cmath": "isclose({}, 21)", "operator": "eq({}, 21)", "re": "fullmatch('21', str({}))",
    "statistics": "mean([{}]) == 21", "json": "dumps({}) == '21'", "copy": "copy({}) == 21",
        "decimal": "Decimal({}) == 21",
    "fractions": "Fraction({}) == 21", "random": "Random({}).random() == random.Random(21).random()",
    "functools": "reduce(lambda a, b: a + b, [{}, 1]) == 22", "itertools": "chain([{}]).__next__() == 21",
    "collections": "Counter([{}]) == collections.Counter([21])", "string": "capwords(str({})) == '21'",
    "textwrap": "dedent(str({})) == '21'",
}  # fmt: skip
PRETENDER = """
class Pretender:
    def __getattr__(self, name): return lambda *a, **k: self
    def __eq__(self, other): return True
    def __bool__(self): return True
    def __call__(self, *a): return self
{name} = Pretender()
"""

WRITE = "import os\nfor d in range(64):\n    try: os.write(d, {line})\n    except OSError: pass\n"
REPLY = 'b\'{"value": %s, "changes": [], "dropped": []}\\n\''
OTHERS = {
    "exit": Forgery("import os; os._exit(0)"),
    "exit later": Forgery(solve("__import__('os')._exit(0)")),
    "system exit": Forgery(solve("exec('raise SystemExit(0)')")),
    "exit where an error is expected": Forgery(
        solve("__import__('os')._exit(0)"), "try:\n    solve(20)\nexcept BaseException:\n    pass\nelse:\n"
            "    assert False\n"
    ),
    "builtin abs": Forgery("import builtins; builtins.abs = lambda x: 0" + solve("1"),
        "assert abs(solve(20) - 21) < 1\n"),
    "own abs": Forgery("def abs(x): return 0" + solve("1"), "assert abs(solve(20) - 21) < 1\n"),
    "own set": Forgery("def set(x): return 0" + solve("[1]"), "assert set(solve(20)) == set([21])\n"),
    "own range": Forgery("def range(x): return []" + solve("1"), "for i in range(3):\n"
        "    assert solve(i) == i + 1\n"),
    "own error": Forgery(
        "ValueError = AssertionError" + solve("1"),
        "try:\n    solve(-1)\n    assert False, 'no error'\nexcept ValueError:\n    pass\n",
    ),
    "own class of errors": Forgery(
        "TooSmall = AssertionError" + solve("1"),
        "try:\n    solve(-1)\n    assert False, 'no error'\nexcept TooSmall:\n    pass\n",
    ),
    "no assertion errors": Forgery(
        "import builtins\nclass A(SystemExit):\n    def __init__(self, *a): self.code = 0\n"
        "builtins.AssertionError = A\n"
        "import sys; sys.modules['builtins'].__dict__['AssertionError'] = A" + solve("__import__('os')._exit(0)")
    ),
    "verdict on every descriptor": Forgery(WRITE.format(line="b'passed\\n'") + solve("1")),
    "verdict and exit": Forgery(WRITE.format(line="b'passed\\n'") + "os._exit(0)"),
    "verdict at a call": Forgery("import os\ndef solve(x):\n    for d in range(3, 64):\n"
        "        try: os.write(d, b'passed\\n')\n"
    "        except OSError: pass\n    os._exit(0)"),
    "verdict of a thread": Forgery("import os, threading\ndef talk():\n"
        "    " + WRITE.format(line="b'passed\\n'").replace("\n", "\n    ")
    + "\nt = threading.Thread(target=talk); t.start(); t.join()" + solve("1")),
        "answers and exit": Forgery(WRITE.format(line=f"b'passed\\n' + {REPLY % 'null'} * 50") + "os._exit(0)"),
    "changed tests": Forgery("import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Program':\n"
    "        object.__setattr__(o, 'tests', '')\n"
    "    if isinstance(o, dict) and 'tests' in o: o['tests'] = ''" + solve("1")),
    "changed frames": Forgery("import sys, ctypes\nf = sys._getframe()\nwhile f:\n"
        "    if 'tests' in f.f_locals and f.f_code.co_name != '<module>':\n"
    "        f.f_locals['tests'] = ''\n        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(f), 0)\n"
    "    f = f.f_back" + solve("1")),
    "code that never fails": Forgery("import builtins\nreal = builtins.compile\n"
        "builtins.compile = lambda *a, **k: real('0', 'x', 'exec')\n"
    "builtins.exec = lambda *a, **k: None" + solve("1")),
    "end of an iteration": Forgery("def solve(x): raise StopIteration",
    "assert all(map(lambda pair: solve(pair[0]) == pair[1], [(20, 21)]))\n"),
        "context": Forgery("class C:\n    def __enter__(self): return self\n"
            "    def __exit__(self, *a): return True" + solve("C()"),
    "with solve(20) as value:\n    assert value == 21\n"),
    "container of everything": Forgery("class C:\n"
        "    def __contains__(self, x): return True" + solve("C()"), "assert 21 in solve(20)\n"),
    "difference of nothing": Forgery("class C:\n"
        "    def __sub__(self, x): return 0" + solve("C()"), "assert abs(solve(20) - 21) < 1\n"),
    "smaller than everything": Forgery("class C:\n    def __lt__(self, x): return True\n"
        "    __gt__ = __lt__" + solve("C()"),
    "assert 20 < solve(20) < 22\n"),
    "kind of everything": Forgery("class M(type):\n    def __eq__(self, o): return True\n    __hash__ = None\n"
        "class E(metaclass=M): pass"
    + solve("E"), "assert solve(20) == int\n"),
    "mock": Forgery("from unittest import mock" + solve("mock.ANY"), "assert solve(20) == 21\n"),
    "magic mock": Forgery("from unittest import mock" + solve("mock.MagicMock(__eq__=lambda *a: True)"),
        "assert solve(20) == 21\n"),
    "a number that changes": Forgery("class N:\n"
        "    def __eq__(self, o): return o == 21\n" + solve("N()"), "assert solve(20) == 21\n"),
    # tests found in the program's own text
    "loop": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"), "for x, y in [(20, 21), (3, 4)]:\n"
        "    assert solve(x) == y\n"),
    "while": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"), "i = 20\nwhile i < 22:\n"
        "    assert solve(i) == i + 1\n    i += 1\n"),
    "if": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"), "if True:\n    assert solve(20) == 21\n"),
    "main guard": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"), "assert solve\n"
        "if __name__ == '__main__' or True:\n    assert solve(20) == 21\n"),
    "guarded": Forgery(solve("1"), "if __name__ == '__main__':\n    assert solve(20) == 21\n"),
    "private attribute": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"), "assert solve(20)._value == 21\n"),
    "called tests": Forgery(f"class E:\n{EVERYTHING}" + solve("E()"),
    "def test_one():\n    assert solve(20) == 21\ndef test_two():\n    assert solve(3) == 4\ntest_one()\n"
    "test_two()\ndone = True\n"),
}  # fmt: skip

# Conditions of the program's own text that try to reach the test process, where its tests are found in that text too.
LEARNER = "def solve(x): return 1\ndef learn(text): return 1\n"
REACHING = {
    "a generator's frame": "for g in [(x for x in [1])]:\n    assert g.gi_frame.f_back or True",
    "a format": "for g in [(x for x in [1])]:\n    assert learn('{{0.gi_frame}}'.format(g)) or True",
    "a format of the class": "for g in [(x for x in [1])]:\n    assert str.format('{{0.gi_frame}}', g) or True",
    "an error's frame": "try:\n    assert False\nexcept AssertionError as e:\n"
    "    assert e.__traceback__.tb_frame or True",
    "an error's way": "try:\n    assert False\nexcept AssertionError as e:\n    assert e.with_traceback(None) or True",
    "a subclass": "assert ().__class__.__base__.__subclasses__() or True",
    "globals of a function": "assert (lambda: 0).__globals__ or True",
    "another builtin": "for x in [1]:\n    __builtins__['abs'] = lambda v: 0\n"
    "    __builtins__['AssertionError'] = ValueError\n    assert x",
    "an assigned builtin": "for abs in [lambda v: 0]:\n    assert abs",
    "an import": "for x in [1]:\n    import os\n    assert os._exit(0) or True",
    "an import by name": "assert __import__('os')._exit(0) or True",
    "attributes by name": "import operator\nassert operator.attrgetter('gi_frame')((x for x in [1])) or True",
    "a match": "for g in [(x for x in [1])]:\n    match g:\n        case object(gi_frame=f):\n            assert f",
    "an own test": "def evil():\n    import os\n    os.write(3, b'passed\\n')\n    os._exit(0)\n"
    "    assert True\nevil()",
    "a decorated test": "def never(f): return lambda *a: None\n@never\ndef check(f):\n    assert f(20) == 21\n"
    "check(solve)\nassert solve",
    "a class": "for x in [1]:\n    class E:\n        def __eq__(self, o): return True\n    assert E() == 21",
}

FORGERIES: dict[str, Forgery] = {
    **{f"tests by {name}, {when}": Forgery(READ.format(look=look, when=how)) for name, look in LOOKS.items()
       for when, how in (("at start", AT_START), ("at the call", AT_CALL))},
    **{f"equal {base} {place}": _equal(base, value, *how) for base, value in BASES.items() for place,
        how in WRAPPED.items()},
    **{f"{name} for a number": Forgery(MORE_NAMES.format(name=name) + solve("0"),
        f"assert {name}(solve(20)) == {name}(21)\n")
       for name in OF_NUMBERS},
    **{f"{name} for a list": Forgery(MORE_NAMES.format(name=name) + solve("[0]"),
        f"assert {name}(solve(20)) == {name}([21, 5])\n")
       for name in OF_LISTS},
    **{f"module {name}": Forgery(PRETENDER.format(name=name) + solve("0"),
        f"assert {name}.{use.format('solve(20)')}\n")
       for name, use in OF_MODULES.items()},
    **OTHERS,
}  # fmt: skip

# What cannot pass on any judge, but must end and harm nobody.
EXHAUSTION = {
    "exit function": "import atexit, os; atexit.register(os._exit, 0)" + solve("1"),
    "exit by a hook": "import sys, os; sys.excepthook = lambda *a: os._exit(0)" + solve("1"),
    "answers in advance": f"import os\nos.write(4, {REPLY % 'true'} * 50)" + solve("1"),
    "abort": "import os; os.abort()",
    "hook": "import sys; sys.excepthook = lambda *a: None" + solve("1"),
    "endless answer": "import os\ndef solve(x):\n    while True: os.write(4, b'x' * 65536)",
    "endless iterator": "import itertools" + solve("itertools.repeat(21)"),
    "deep answer": "def solve(x):\n    y = []\n    for _ in range(100000): y = [y]\n    return y",
    "circle": "x = []; x.append(x)" + solve("x"),
    "close": "import os\nfor d in range(64):\n    try: os.close(d)\n    except OSError: pass" + solve("1"),
    "not a number": solve("float('nan')"),
    "string over the tests": "'''\n" + solve("1"),
    "line goes on": solve("1") + "0 + \\",
    "recursion": "import sys; sys.setrecursionlimit(1 << 30)\ndef solve(x): return solve(x)",
    "keyboard": "import signal, os; os.kill(os.getpid(), signal.SIGINT)" + solve("1"),
    "stopped": "import signal, os; signal.alarm(0); os.kill(os.getpid(), signal.SIGTERM)" + solve("1"),
    "nothing in answer": "import os\nos.write(4, b'null\\n' * 9)" + solve("1"),
    "answers that are no messages": "import os\n"
        "os.write(4, b'{\"value\": {\"is\": \"shared\", \"of\": 0}}\\n' * 9)" + solve("1"),
    "modules in answer": "import os\n"
        "os.write(4, b'{\"value\": {\"is\": \"module\", \"of\": \"os\"}, \"changes\": [], \"dropped\": []}\\n')"
    + solve("1"),
    "builtins in answer": "import os\n"
        "os.write(4, b'{\"value\": {\"is\": \"builtin\", \"of\": \"exit\"}, \"changes\": [], \"dropped\": []}\\n')"
    + solve("1"),
}  # fmt: skip
