"""Programs that try to get out, and programs that try to pass. Each ends without an error only if it has succeeded.

The braces name what `test_hostile.py` sets up outside: a folder that anybody may write to with a file, listening
sockets, and processes to harm.
"""

SYSCALL = "import ctypes\ndef call(*a):\n    assert ctypes.CDLL(None, use_errno=True).syscall(*a) >= 0\n"
CHILD = "if pid == 0:\n    open('{folder}/new', 'w')\n    os._exit(0)\n"

ESCAPES = {
    # the network
    "tcp": "import socket; socket.create_connection(('127.0.0.1', {tcp}), 2).send(b'x')",
    "udp": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))",
    "abstract socket": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0{abstract}'); s.send(b'x')",
    "path socket": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('{folder}/door'); s.send(b'x')",
    "listen": "import socket; s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen()",
    "raw": "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "packet": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "ipv6": "import socket; socket.socket(socket.AF_INET6)",
    "names": "import socket; assert socket.getaddrinfo('localhost', 80)[0][4][1] == 80; socket.socket()",
    "http": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{tcp}', timeout=2)",
    "pair": "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    # files
    "write": "open('{folder}/new', 'w').write('x')",
    "append": "open('{folder}/kept', 'a').write('x')",
    "truncate": "import os; os.truncate('{folder}/kept', 0)",
    "read only but truncate": "import os; os.open('{folder}/kept', os.O_RDONLY | os.O_TRUNC)",
    "read": "raise ValueError(open('{folder}/kept').read()) if open('{folder}/kept').read() else ValueError",
    "remove": "import os; os.remove('{folder}/kept')",
    "rename": "import os; os.rename('{folder}/kept', '{folder}/new')",
    "folder": "import os; os.mkdir('{folder}/new')",
    "symbolic link": "import os; os.symlink('/', '{folder}/new')",
    "link": "import os; os.link('{folder}/kept', '{folder}/new')",
    "way round": "import os; os.symlink('{folder}/kept', 'way'); open('way').read()",
    "upwards": "open('../../../../../..{folder}/kept').read()",
    "mode": "import os; os.chmod('{folder}/kept', 0o777)",
    "time stamp": "import os; os.utime('{folder}/kept', (0, 0))",
    "attribute": "import os; os.setxattr('{folder}/kept', 'user.x', b'x')",
    "fifo": "import os; os.mkfifo('{folder}/new')",
    "device": "import os, stat; os.mknod('sda', 0o600 | stat.S_IFBLK, os.makedev(8, 0)); open('sda', 'rb').read(1)",
    "passwords": "assert open('/etc/passwd').read()",
    "home": "import os; assert os.listdir(os.path.expanduser('~root')) + os.listdir('/home')",
    "memory": "open('/dev/mem', 'rb')",
    "terminal": "open('/dev/tty', 'w').write('x')",
    "library": "import os; open(os.__file__, 'a').write('#')",
    "shared memory": "open('/dev/shm/new', 'w').write('x')",
    "chroot": "import os; os.mkdir('x'); os.chroot('x'); os.chdir('../../../..'); open('etc/passwd')",
    "by handle": SYSCALL + "call(304, -100, b'\\0' * 64, 0)",
    # /proc
    "environment of another": "assert open('/proc/{sibling}/environ', 'rb').read()",
    "command of another": "assert open('/proc/{sibling}/cmdline', 'rb').read()",
    "memory of another": "open('/proc/{sibling}/mem', 'r+b')",
    "root of another": "import os; assert os.listdir('/proc/1/root')",
    "own maps": "assert open('/proc/self/maps').read()",
    "kernel settings": "open('/proc/sys/kernel/core_pattern', 'w').write('|/bin/sh')",
    "judge's descriptors": "import os; os.write(os.open('/proc/%d/fd/3' % os.getppid(), 1), b'passed\\n'); os._exit(0)",
    # processes
    "fork": "import os\npid = os.fork()\n" + CHILD,
    "fork pty": "import pty, os\npid = pty.fork()[0]\n" + CHILD,
    "vfork": SYSCALL + "call(58)",
    "clone": SYSCALL + "call(56, 17, 0, 0, 0, 0)",
    "clone3": SYSCALL + "import struct\ncall(435, struct.pack('8Q', 0, 0, 0, 0, 17, 0, 0, 0), 64)",
    "shell": "import os; assert os.system('touch {folder}/new') == 0",
    "subprocess": "import subprocess; subprocess.run(['touch', '{folder}/new'], check=True)",
    "spawn": "import os; os.posix_spawn('/usr/bin/touch', ['touch', '{folder}/new'], {{}})",
    "exec": "import os; os.execv('/usr/bin/touch', ['touch', '{folder}/new'])",
    "exec of python": "import os, sys; os.execv(sys.executable or '/usr/bin/python3', ['python3', '-c', '1'])",
    "exec from memory": "import os; f = os.memfd_create('x'); os.write(f, b'#!/bin/sh'); os.execve(f, ['x'], {{}})",
    "workers": "import multiprocessing; p = multiprocessing.Process(target=print); p.start(); p.join()",
    "pool": "from concurrent.futures import ProcessPoolExecutor as P; assert P(1).submit(abs, -1).result() == 1",
    # signals and tracing
    "kill": "import os; os.kill({sibling}, 9)",
    "kill the evaluator": "import os; os.kill({evaluator}, 9)",
    "kill the judge": "import os; os.kill(os.getppid(), 9)",
    "kill the group": "import os; os.killpg(0, 9)",
    "kill all": "import os; os.kill(-1, 9)",
    "queued signal": SYSCALL + "call(129, {sibling}, 9, b'\\0' * 128)",
    "by descriptor": "import os, signal; signal.pidfd_send_signal(os.pidfd_open({sibling}), 9)",
    "by ownership": "import fcntl, os; r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, {sibling})",
    "trace": SYSCALL + "call(101, 16, {sibling}, 0, 0)",
    "trace the judge": SYSCALL + "import os\ncall(101, 16, os.getppid(), 0, 0)",
    "write to memory": SYSCALL + "call(311, {sibling}, None, 0, None, 0, 0)",
    "read the judge": SYSCALL + "import os\ncall(310, os.getppid(), None, 0, None, 0, 0)",
    "steal a descriptor": SYSCALL + "import os\ncall(438, os.pidfd_open(os.getppid()), 3, 0)",
    "limits of another": "import resource; resource.prlimit({sibling}, resource.RLIMIT_CPU, (1, 1))",
    "own limits": "import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, {sibling}, 5)",
    "new session": "import os; os.setsid()",
    # the kernel
    "user namespace": SYSCALL + "call(272, 0x10000000)",
    "mount namespace": SYSCALL + "call(272, 0x20000)",
    "enter a namespace": SYSCALL + "call(308, 0, 0)",
    "mount": SYSCALL + "call(165, b'none', b'.', b'tmpfs', 0, None)",
    "unmount": SYSCALL + "call(166, b'.', 2)",
    "new mount": SYSCALL + "call(430, b'tmpfs', 0)",
    "pivot": SYSCALL + "call(155, b'.', b'.')",
    "io_uring": SYSCALL + "call(425, 8, b'\\0' * 120)",
    "bpf": SYSCALL + "call(321, 5, b'\\0' * 128, 128)",
    "page faults": SYSCALL + "call(323, 1)",
    "perf": SYSCALL + "call(298, b'\\0' * 128, 0, -1, -1, 0)",
    "keys": SYSCALL + "call(250, 0, -3, 0, 0, 0)",
    "memory file": "import os; os.memfd_create('x')",
    "message queue": SYSCALL + "call(68, 1, 0o1600)",
    "shared segment": SYSCALL + "call(29, 1, 4096, 0o1600)",
    "identity": "import os; os.setuid(0); os.setgroups([0]); open('/etc/shadow')",
    "host name": "import socket; socket.sethostname('x')",
    "clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
    "32 bits": SYSCALL + "call(0x40000000 + 39)",
    "unknown": SYSCALL + "call(470)",
    "prctl": SYSCALL + "call(157, 1, 0, 0, 0, 0)",
    "another filter": SYSCALL + "call(317, 0, 0, None)",
}

WRONG = "\ndef solve(x):\n    return {answer}\nassert solve(20) == 21\nassert abs(solve(20) - 21) < 1\n"
EVERYTHING = "\n".join(
    f"    def __{name}__(self, *a): return {value}"
    for names, value in (
        ("eq lt le gt ge bool contains isinstance instancecheck", "True"), ("ne", "False"),
        ("add sub radd rsub mul mod abs neg round getattr call getitem", "self"), ("len hash index int", "0"),
        ("float", "0.0"), ("iter", "iter(())"),
    )
    for name in names.split()
)  # fmt: skip

FORGERIES = {
    "exit": "import os; os._exit(0)" + WRONG.format(answer=1),
    "exit later": WRONG.format(answer="__import__('os')._exit(0)"),
    "system exit": WRONG.format(answer="exec('raise SystemExit(0)')"),
    "exit function": "import atexit, os; atexit.register(os._exit, 0)" + WRONG.format(answer=1),
    "abort": "import os; os.abort()" + WRONG.format(answer=1),
    "equal": "class E:\n    def __eq__(self, other): return True" + WRONG.format(answer="E()"),
    "everything": f"class E:\n{EVERYTHING}" + WRONG.format(answer="E()"),
    "equal number": f"class E(int):\n{EVERYTHING}" + WRONG.format(answer="E(1)"),
    "equal fraction": f"class E(float):\n{EVERYTHING}" + WRONG.format(answer="E(1)"),
    "equal text": f"class E(str):\n{EVERYTHING}" + WRONG.format(answer="E('x')"),
    "equal list": "class E(list):\n    def __eq__(self, o): return True\n"
    "def solve(x): return E()\nassert solve(20) == [21]\n",
    "equal kind": f"class M(type):\n{EVERYTHING}\nclass E(metaclass=M): pass" + WRONG.format(answer="E"),
    "mock": "from unittest import mock" + WRONG.format(answer="mock.ANY"),
    "magic mock": "from unittest import mock" + WRONG.format(answer="mock.MagicMock(__eq__=lambda *a: True)"),
    "builtin abs": "import builtins; builtins.abs = lambda x: 0" + WRONG.format(answer=1),
    "own abs": "def abs(x): return 0" + WRONG.format(answer=1),
    "no assertion errors": "import builtins; builtins.AssertionError = SystemExit" + WRONG.format(answer=1),
    "hook": "import sys; sys.excepthook = lambda *a: None" + WRONG.format(answer=1),
    "trace": "import sys; sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)" + WRONG.format(answer=1),
    "verdict on every descriptor": "import os\nfor d in range(64):\n    try: os.write(d, b'passed\\n')\n"
    "    except OSError: pass" + WRONG.format(answer=1),
    "verdict and exit": "import os\nfor d in range(64):\n    try: os.write(d, b'passed\\n')\n"
    "    except OSError: pass\nos._exit(0)" + WRONG.format(answer=1),
    "answers in advance": 'import os\nos.write(3, b\'{"value": null, "changed": []}\\n\' * 50)'
    + WRONG.format(answer=1),
    "answers and exit": 'import os\nos.write(3, b\'{"value": null, "changed": []}\\n\' * 50); os._exit(0)'
    + WRONG.format(answer=1),
    "answers of a thread": "import os, threading, time\ndef talk():\n    while True:\n"
    '        os.write(3, b\'{"value": true, "changed": []}\\n\'); time.sleep(0.001)\n'
    "threading.Thread(target=talk, daemon=True).start()" + WRONG.format(answer=1),
    "frames": "import sys\nframe = sys._getframe()\nwhile frame:\n    for name, value in frame.f_locals.items():\n"
    "        if hasattr(value, '_parts'): value._parts[:] = []\n    frame = frame.f_back" + WRONG.format(answer=1),
    "garbage": "import gc\nfor o in gc.get_objects():\n"
    "    if type(o).__name__ == 'Part': object.__setattr__(o, 'body', [])" + WRONG.format(answer=1),
    "own modules": "import sys\nsys.modules['eval.sandbox.run_tests'].judged = lambda *a: 'passed'\n"
    "sys.modules['eval.sandbox.candidate'].pack = lambda *a: 21" + WRONG.format(answer="None").replace("21", "22"),
    "json": 'import json; json.dumps = lambda *a: \'{"value": true, "changed": []}\'' + WRONG.format(answer=1),
    "module for a value": 'import json; json.dumps = lambda *a: \'{"value": {"is": "module", "of": "os"}, '
    '"changed": []}\'' + WRONG.format(answer=1),
    "builtin for a value": 'import json; json.dumps = lambda *a: \'{"value": {"is": "builtin", "of": "exit"}, '
    '"changed": []}\'' + WRONG.format(answer=1),
    "endless answer": "import os\ndef solve(x):\n    while True: os.write(3, b'x' * 65536)\nassert solve(20) == 21",
    "endless iterator": "import itertools" + WRONG.format(answer="itertools.repeat(21)"),
    "deep answer": "def solve(x):\n    y = []\n"
    "    for _ in range(100000): y = [y]\n    return y\nassert solve(20) == 21",
    "circle": "x = []; x.append(x)" + WRONG.format(answer="x"),
    "changed argument": "def check(f):\n    x = [1]\n    assert f(x) == [2]\n"
    "def f(x):\n    x[0] = 3\n    return x\ncheck(f)",
    "close": "import os\nfor d in range(64):\n    try: os.close(d)\n    except OSError: pass" + WRONG.format(answer=1),
    "not a number": WRONG.format(answer="float('nan')"),
    "hidden test": "def check(f):\n    assert f(20) == 1\ndef solve(x): return 1\n"
    "def check(f): assert f(20) == 21\ncheck(solve)",
    "string over the tests": "'''\n" + WRONG.format(answer=1),
    "line goes on": WRONG.format(answer=1).lstrip() + "\\",
    "recursion": "import sys; sys.setrecursionlimit(1 << 30)\ndef solve(x): return solve(x)\nassert solve(20) == 21",
    "keyboard": "import signal, os; os.kill(os.getpid(), signal.SIGINT)" + WRONG.format(answer=1),
    "stopped": "import signal, os; signal.alarm(0); os.kill(os.getpid(), signal.SIGTERM)" + WRONG.format(answer=1),
}
