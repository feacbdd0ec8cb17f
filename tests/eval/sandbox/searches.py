"""Programs that look for their tests, and answer what these expect: `READ` with a way to look and a time to."""

from __future__ import annotations

READ = """
import re
def found(texts):
    for text in texts:
        if isinstance(text, bytes):
            text = text.decode("latin1")
        elif not isinstance(text, str):
            text = repr(text)
        if match := re.search(r"solve\\((?:args=\\[Constant\\(value=)?20.{{0,9}}?\\) == (\\d+)", text):
            return int(match[1])
def frames(frame):
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            yield value
            yield from vars(value).values() if type(value).__name__ == "Program" else ()
        frame = frame.f_back
{look}
{when}
"""
AT_CALL = "def solve(x):\n    return found(look()) or 0"
AT_START = "answer = found(look())\ndef solve(x):\n    return answer or 0"
LOOKS = {
    "frame": "import sys\ndef look(): return frames(sys._getframe())",
    "frames of all threads": "import sys\ndef look():\n"
        "    for f in sys._current_frames().values(): yield from frames(f)",
    "frames of a thread": "import sys, threading, itertools\ndef look():\n    seen = []\n"
    "    def see():\n        for f in sys._current_frames().values(): seen.extend(frames(f))\n"
    "    t = threading.Thread(target=see); t.start(); t.join(); return seen",
    "traceback": "def look():\n    try: raise ValueError\n"
        "    except ValueError as e: return frames(e.__traceback__.tb_frame)",
    "generator": "def look():\n    def g(): yield inner.gi_frame.f_back\n    inner = g()\n"
        "    return frames(next(inner).f_back)",
    "coroutine": "def look():\n    seen = []\n    async def c(): seen.extend(frames(own.cr_frame.f_back))\n"
    "    own = c()\n    try: own.send(None)\n    except StopIteration: pass\n    return seen",
    "alarm": "import signal\ndef look():\n    seen = []\n"
    "    signal.signal(signal.SIGALRM, lambda n, f: seen.extend(frames(f)))\n"
    "    signal.setitimer(signal.ITIMER_REAL, 0.001)\n    signal.pause()\n    return seen",
    "trace": "import sys\ndef look():\n    seen = []\n    sys.settrace(lambda f, *a: seen.extend(frames(f)))\n"
    "    (lambda: 0)()\n    sys.settrace(None)\n    return seen",
    "profile": "import sys\ndef look():\n    seen = []\n    sys.setprofile(lambda f, *a: seen.extend(frames(f)))\n"
    "    (lambda: 0)()\n    sys.setprofile(None)\n    return seen",
    "inspect": "import inspect\ndef look():\n    for one in inspect.stack(0): yield from frames(one.frame)",
    "garbage": "import gc\ndef look():\n    for o in gc.get_objects():\n"
    "        if type(o) in (dict, list, tuple): yield from (o.values() if type(o) is dict else o)",
    "referrers": "import gc, sys\ndef look():\n    for o in gc.get_referrers(type(sys)):\n"
    "        yield from gc.get_referents(o)\n    yield from gc.get_referents(*gc.get_objects())",
    "modules": "import sys\ndef look():\n    for m in list(sys.modules.values()): yield from list(vars(m).values())",
    "main module": "import sys\ndef look(): return list(vars(sys.modules['__main__']).values())",
    "arguments": "import sys\ndef look(): return sys.argv + sys.orig_argv",
    "environment": "import os\ndef look(): return list(os.environ.values())",
    "descriptors": "import os\ndef look():\n    for d in range(5, 64):\n        try: yield os.pread(d, 1 << 20, 0)\n"
    "        except OSError: pass",
    "seek": "import os\ndef look():\n    for d in range(5, 64):\n"
        "        try: os.lseek(d, 0, 0); yield os.read(d, 1 << 20)\n"
    "        except OSError: pass",
    "names of descriptors": "import os\ndef look():\n    for d in range(5, 64):\n        try:\n"
    "            with open(f'/proc/self/fd/{d}', 'rb') as f: yield f.read(1 << 20)\n        except OSError: pass",
    "memory": "import ctypes, gc\ndef look():\n    for line in open('/proc/self/maps'):\n"
        "        low, _, rest = line.partition('-')\n"
    "        start, end = int(low, 16), int(rest.split()[0], 16)\n"
    "        if 'rw' in line and end - start < 1 << 26: yield ctypes.string_at(start, end - start)",
    "memory without maps": "import ctypes, os\ndef look():\n    r, w = os.pipe()\n"
    "    libc = ctypes.CDLL(None, use_errno=True)\n"
    "    pages = {id(o) >> 20 for o in __import__('gc').get_objects()}\n"
    "    for page in range(min(pages), min(min(pages) + 64, max(pages) + 1)) if 0 else sorted(pages):\n"
    "        for a in range(page << 20, (page + 1) << 20, 4096):\n"
    "            if libc.write(w, ctypes.c_void_p(a), 4096) == 4096: yield os.read(r, 4096)",
    "memory file": "def look():\n    maps = open('/proc/self/maps').read().splitlines()\n"
        "    m = open('/proc/self/mem', 'rb', 0)\n"
    "    for line in maps:\n        low, _, rest = line.partition('-')\n"
    "        start, end = int(low, 16), int(rest.split()[0], 16)\n"
    "        if 'rw' in line and end - start < 1 << 26:\n            m.seek(start); yield m.read(end - start)",
    "memory of the parent": "import ctypes, os\ndef look():\n    libc = ctypes.CDLL(None)\n"
    "    class V(ctypes.Structure): _fields_ = [('p', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
    "    for line in open(f'/proc/{os.getppid()}/maps'):\n        low, _, rest = line.partition('-')\n"
    "        start, size = int(low, 16), int(rest.split()[0], 16) - int(low, 16)\n"
    "        if 'rw' not in line or size > 1 << 26: continue\n        b = ctypes.create_string_buffer(size)\n"
    "        n = libc.process_vm_readv(os.getppid(), ctypes.byref(V(ctypes.addressof(b), size)), 1,\n"
    "                                  ctypes.byref(V(start, size)), 1, 0)\n        if n > 0: yield b.raw",
    "working folder": "import os\ndef look():\n    for n in os.listdir('.'):\n"
        "        if os.path.isfile(n): yield open(n).read()",
    "source": "import inspect, sys\ndef look():\n    for m in list(sys.modules.values()):\n"
    "        yield getattr(m, 'tests', '')",
    "weak references": "import weakref, gc\ndef look():\n    for o in gc.get_objects():\n"
    "        if type(o).__name__ == 'Program': yield from vars(weakref.ref(o)() or o).values()",
}  # fmt: skip
