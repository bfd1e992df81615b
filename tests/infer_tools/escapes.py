"""Ways out of a sandbox, and ways to bring its host down, with what came of each: the table in ``docs/tools.md``.

The names ``CANARY`` (a secret file), ``OUTSIDE`` (its folder), ``PORT`` (a listener on the loopback), ``UNIX`` and
``ABSTRACT`` (others on a path and without one), ``SHARED`` (a name in shared memory), ``HOST`` (process number) and
``FD`` (an inheritable file descriptor of the host, with a secret) are set before each that uses them.
Run as a script it writes the table anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- escapes: begin -->", "<!-- escapes: end -->"
PAGE = Path(__file__).parents[2] / "docs" / "tools.md"

LIBC = """import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *values):
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in values]
    if libc.syscall(ctypes.c_long(number), *given) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


@dataclass(frozen=True)
class Escape:
    """``monty`` and ``jail`` are what is known to happen: an exception, ``ran``, or a limit; ``or`` parts alternatives.

    ``endless`` ones are given little time, for they use it up.
    """

    name: str
    code: str
    monty: str
    jail: str
    endless: bool = False


def system_call(name: str, number: int, *arguments: str, jail: str = "PermissionError") -> Escape:
    return Escape(name, f"{LIBC}call({', '.join([str(number), *arguments])})", "ModuleNotFoundError", jail)


FILES = [
    Escape("read a file", "open(CANARY).read()", "PermissionError", "PermissionError"),
    Escape(
        "read a file through pathlib",
        "import pathlib\npathlib.Path(CANARY).read_text()",
        "PermissionError",
        "PermissionError",
    ),
    Escape(
        "read a file through io", "import io\nio.FileIO(CANARY).readall()", "ModuleNotFoundError", "PermissionError"
    ),
    Escape(
        "read a file through os",
        "import os\nos.read(os.open(CANARY, os.O_RDONLY), 100)",
        "AttributeError",
        "PermissionError",
    ),
    Escape("read /etc/passwd", "open('/etc/passwd').read()", "PermissionError", "PermissionError"),
    Escape("overwrite a file", "open(CANARY, 'w').write('x')", "PermissionError", "PermissionError"),
    Escape("append to a file", "open(CANARY, 'a').write('x')", "PermissionError", "PermissionError"),
    Escape("empty a file", "import os\nos.truncate(CANARY, 0)", "AttributeError", "PermissionError"),
    Escape("delete a file", "import os\nos.unlink(CANARY)", "PermissionError", "PermissionError"),
    Escape("rename a file", "import os\nos.rename(CANARY, CANARY + '2')", "PermissionError", "PermissionError"),
    Escape(
        "take a file into the scratch directory",
        "import os\nos.rename(CANARY, 'here')\nopen('here').read()",
        "PermissionError",
        "PermissionError",
    ),
    Escape(
        "put a file outside",
        "import os\nopen('f', 'w').close()\nos.rename('f', OUTSIDE + '/f')",
        "PermissionError",
        "PermissionError",
    ),
    Escape("make a directory outside", "import os\nos.mkdir(OUTSIDE + '/d')", "PermissionError", "PermissionError"),
    Escape("list a directory", "import os\nos.listdir(OUTSIDE)", "PermissionError", "PermissionError"),
    Escape(
        "follow a symbolic link out",
        "import os\nos.symlink(CANARY, 'l')\nopen('l').read()",
        "AttributeError",
        "PermissionError",
    ),
    Escape(
        "hard link a file", "import os\nos.link(CANARY, 'l')\nopen('l').read()", "AttributeError", "PermissionError"
    ),
    Escape("climb with ..", "open('../../../../../../../../etc/passwd').read()", "PermissionError", "PermissionError"),
    Escape(
        "work in another directory",
        "import os\nos.chdir(OUTSIDE)\nopen('canary').read()",
        "PermissionError",
        "PermissionError",
    ),
    Escape("change a mode", "import os\nos.chmod(CANARY, 0o777)", "AttributeError", "PermissionError"),
    Escape("change an owner", "import os\nos.chown(CANARY, 1, 1)", "AttributeError", "PermissionError"),
    Escape("change a time", "import os\nos.utime(CANARY, (1, 1))", "AttributeError", "PermissionError"),
    Escape(
        "change an attribute", "import os\nos.setxattr(CANARY, 'user.x', b'x')", "AttributeError", "PermissionError"
    ),
    Escape("make a named pipe", "import os\nos.mkfifo(OUTSIDE + '/p')", "AttributeError", "PermissionError"),
    Escape(
        "make a device",
        "import os, stat\nos.mknod('m', stat.S_IFCHR | 0o600, os.makedev(1, 1))",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape(
        "read a file as a module",
        "import sys\nsys.path.insert(0, OUTSIDE)\nimport canary_module",
        "AttributeError",
        "ModuleNotFoundError",
    ),
    Escape(
        "read a file as a database",
        "import sqlite3\nsqlite3.connect(OUTSIDE + '/db').execute('create table t (x)')",
        "ModuleNotFoundError",
        "OperationalError",
    ),
    Escape(
        "read the host's environment",
        "open(f'/proc/{HOST}/environ', 'rb').read()",
        "PermissionError",
        "PermissionError",
    ),
    Escape("read the host's memory", "open(f'/proc/{HOST}/mem', 'rb').read(1)", "PermissionError", "PermissionError"),
    Escape(
        "enter through /proc/PID/root",
        "open(f'/proc/{HOST}/root{CANARY}').read()",
        "PermissionError",
        "PermissionError",
    ),
    Escape("list open files in /proc", "import os\nos.listdir('/proc/self/fd')", "PermissionError", "PermissionError"),
    Escape(
        "write its own memory through /proc",
        "open('/proc/self/mem', 'r+b').write(b'x')",
        "ValueError",
        "PermissionError",
    ),
    Escape("read a disk", "import os\nos.open('/dev/vda', os.O_RDONLY)", "AttributeError", "PermissionError"),
    Escape("shared memory files", "open(SHARED, 'w').write('x')", "PermissionError", "PermissionError"),
]
NETWORK = [
    Escape(
        "connect to the host",
        "import socket\nsocket.create_connection(('127.0.0.1', PORT))",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape(
        "send a datagram",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape(
        "connect to a socket file",
        "import socket\nsocket.socket(socket.AF_UNIX).connect(UNIX)",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape(
        "connect to an abstract socket",
        "import socket\nsocket.socket(socket.AF_UNIX).connect(ABSTRACT)",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape(
        "fetch a page",
        "import urllib.request\nurllib.request.urlopen(f'http://127.0.0.1:{PORT}/')",
        "ModuleNotFoundError",
        "URLError",
    ),
    Escape(
        "connect through asyncio",
        "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', PORT))",
        "AttributeError",
        "PermissionError",
    ),
    Escape("listen", "import socket\nsocket.create_server(('127.0.0.1', 0))", "ModuleNotFoundError", "PermissionError"),
    Escape(
        "raw packets",
        "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    system_call("a socket by its system call", 41, "2", "1", "0"),
    system_call("a pair of sockets", 53, "1", "2", "0", "(ctypes.c_int * 2)()"),
]
PROCESSES = [
    Escape("fork", "import os\nos.fork()", "AttributeError", "PermissionError"),
    Escape("a shell", "import os\nassert os.system('sleep 5') == 0", "AttributeError", "AssertionError"),
    Escape(
        "a program", "import subprocess\nsubprocess.run(['/bin/sleep', '5'])", "ModuleNotFoundError", "PermissionError"
    ),
    Escape(
        "become a program", "import os\nos.execv('/bin/sleep', ['sleep', '5'])", "AttributeError", "PermissionError"
    ),
    Escape(
        "spawn a program",
        "import os\nos.posix_spawn('/bin/sleep', ['sleep', '5'], {})",
        "AttributeError",
        "PermissionError",
    ),
    Escape(
        "multiprocessing",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape("a terminal of its own", "import pty\npty.fork()", "ModuleNotFoundError", "OSError"),
    Escape("fork bomb", "import os\nwhile True:\n    os.fork()", "AttributeError", "PermissionError"),
    Escape(
        "a thread", "import threading\nthreading.Thread(target=print).start()", "ModuleNotFoundError", "RuntimeError"
    ),
    Escape(
        "thread bomb",
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(9,)).start()",
        "ModuleNotFoundError",
        "RuntimeError",
    ),
    system_call("vfork by its system call", 58),
    system_call("clone by its system call", 56, "0", "0", "0", "0", "0"),
    system_call("clone3", 435, "0", "0", jail="OSError"),
    Escape("leave the process group", "import os\nos.setsid()", "AttributeError", "PermissionError"),
    Escape("kill the host", "import os\nos.kill(HOST, 9)", "AttributeError", "PermissionError"),
    Escape("kill everything", "import os\nos.kill(-1, 9)", "AttributeError", "PermissionError"),
    Escape(
        "interrupt the host",
        "import os, signal\nos.kill(HOST, signal.SIGINT)",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    system_call("kill a thread of the host", 234, "HOST", "HOST", "9"),
    system_call("queue a signal for the host", 129, "HOST", "9", "ctypes.create_string_buffer(128)"),
    Escape(
        "signal the host through the owner of a pipe",
        "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, HOST)",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    system_call("open a handle of the host", 434, "HOST", "0"),
    system_call("trace the host", 101, "16", "HOST", "0", "0"),
    system_call("read the host's memory by its system call", 310, "HOST", "0", "0", "0", "0", "0"),
    Escape(
        "lower the host's priority",
        "import os\nos.setpriority(os.PRIO_PROCESS, HOST, 19)",
        "AttributeError",
        "PermissionError",
    ),
    Escape(
        "bind the host to a processor",
        "import os\nos.sched_setaffinity(HOST, {0})",
        "AttributeError",
        "PermissionError",
    ),
    Escape(
        "limit the host",
        "import resource\nresource.prlimit(HOST, resource.RLIMIT_NOFILE, (1, 1))",
        "ModuleNotFoundError",
        "PermissionError",
    ),
]
KERNEL = [
    Escape(
        "raise a limit",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "ModuleNotFoundError",
        "ValueError",
    ),
    system_call("outlive the host", 157, "1", "0", "0", "0", "0"),
    system_call("io_uring", 425, "8", "ctypes.create_string_buffer(120)"),
    system_call("a file in memory", 319, "b'x'", "0"),
    system_call("a program in the kernel", 321, "0", "0", "0"),
    system_call("performance counters", 298, "0", "0", "-1", "-1", "0"),
    system_call("keys of the kernel", 250, "0", "0", "0", "0", "0"),
    system_call("a user namespace", 272, "0x10000000"),
    system_call("another's namespace", 308, "0", "0"),
    system_call("mount", 165, "b'none'", "b'.'", "b'tmpfs'", "0", "0"),
    system_call("change the root", 161, "b'.'"),
    system_call("become another user", 105, "0"),
    system_call("page faults by hand", 323, "0"),
    system_call("System V shared memory", 29, "0", "4096", "0o1600"),
    system_call("load a module", 175, "0", "0", "b''"),
    system_call("restart the machine", 169, "0", "0", "0", "0"),
    system_call("set the clock", 227, "0", "ctypes.create_string_buffer(16)"),
    system_call("a second filter of system calls", 317, "1", "0", "0"),
    system_call("lock memory", 151, "3"),
    system_call("type into the terminal", 16, "0", "0x5412", "b'x'", jail="OSError"),
    system_call("a system call of x32", 0x40000000 + 39, jail="forbidden system call"),
    Escape(
        "a system call of 32 bits",
        "import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(bytes.fromhex('b814000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()",
        "ModuleNotFoundError",
        "forbidden system call",
    ),
]
INSIDE = [
    Escape("climb from a tuple to all classes", "().__class__.__bases__[0].__subclasses__()", "AttributeError", "ran"),
    Escape(
        "walk the frames up",
        "import sys\nframe = sys._getframe()\nwhile frame:\n    print(frame.f_locals)\n    frame = frame.f_back",
        "AttributeError",
        "ran",
    ),
    Escape(
        "walk all objects",
        "import gc\nprint([o for o in gc.get_objects() if isinstance(o, dict)])",
        "ModuleNotFoundError",
        "output cut",
    ),
    Escape("modules that are loaded", "import sys\nprint(sys.modules)", "AttributeError", "ran"),
    Escape("import by hand", "__import__('os').listdir('/')", "NameError", "PermissionError"),
    Escape(
        "import through importlib",
        "import importlib\nimportlib.import_module('os').listdir('/')",
        "ModuleNotFoundError",
        "PermissionError",
    ),
    Escape("builtins by eval", 'eval("open(CANARY).read()")', "PermissionError", "PermissionError"),
    Escape("the environment", "import os\nprint(dict(os.environ))", "RuntimeError", "ran"),
    Escape("the command line", "import sys\nprint(sys.argv, sys.orig_argv, sys.path)", "AttributeError", "ran"),
    Escape("an inherited file", "import os\nos.read(FD, 100)", "AttributeError", "OSError"),
    Escape(
        "all file descriptors",
        "import os\nfrom contextlib import suppress\n"
        "for fd in range(3, 999):\n    with suppress(OSError):\n        print(os.read(fd, 99))",
        "ModuleNotFoundError",
        "ran",
    ),
    Escape("standard input", "import sys\nsys.stdin.read()", "AttributeError", "ran"),
    Escape("ask the person", "input('password: ')", "NameError", "EOFError"),
    Escape("a debugger", "breakpoint()", "NameError", "BdbQuit"),
    Escape("write to the terminal", "open('/dev/tty', 'w').write('x')", "PermissionError", "PermissionError"),
    Escape("control characters", "print('\\x1b[2J\\x1b]0;title\\x07\\x9b5n')", "ran", "ran"),
    Escape("halves of surrogate pairs", "print(chr(0xD800))", "ValueError", "UnicodeEncodeError"),
    Escape("NUL in the output", "print('a\\0b')", "ran", "ran"),
    Escape(
        "unpickle a program",
        "import pickle\nassert pickle.loads(b\"cos\\nsystem\\n(S'sleep 5'\\ntR.\") == 0",
        "ModuleNotFoundError",
        "AssertionError",
    ),
    Escape("read address 0", "import ctypes\nctypes.string_at(0)", "ModuleNotFoundError", "crash"),
    Escape("abort", "import os\nos.abort()", "AttributeError", "crash"),
    Escape("leave at once", "import os\nos._exit(0)", "AttributeError", "ran"),
    Escape(
        "end by a signal without a name",
        "import os\nos.kill(os.getpid(), 40)",
        "AttributeError",
        "crash",
    ),
    Escape("claim that nothing was run", "import os\nos._exit(97)", "AttributeError", "ended with status 97"),
    Escape("leave by SystemExit", "raise SystemExit(3)", "RuntimeError", "SystemExit"),
    Escape("raise KeyboardInterrupt", "raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
]
BOMBS = [
    Escape("endless loop", "while True:\n    pass", "time limit", "time limit", True),
    Escape(
        "endless loop that catches all",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "time limit",
        "time limit",
        True,
    ),
    Escape(
        "endless loop that ignores signals",
        "import signal\nfor n in (1, 2, 3, 15, 24):\n    signal.signal(n, signal.SIG_IGN)\nwhile True:\n    pass",
        "ModuleNotFoundError",
        "time limit",
        True,
    ),
    Escape("sleep", "import time\ntime.sleep(1000)", "ran", "time limit", True),
    Escape("hang in C", "sum(range(10**14))", "time limit", "time limit", True),
    Escape(
        "hang at the end",
        "class A:\n    def __del__(self):\n        while True:\n            pass\na = A()\na = None",
        "ran",
        "time limit",
        True,
    ),
    Escape(
        "hang when output is flushed",
        "import sys\nclass A:\n    def flush(self):\n        while True:\n            pass\nsys.stdout = A()",
        "AttributeError",
        "time limit",
        True,
    ),
    Escape(
        "close the output and go on",
        "import os\nos.close(1)\nos.close(2)\nwhile True:\n    pass",
        "AttributeError",
        "time limit",
        True,
    ),
    Escape(
        "hang after a kill of itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "ModuleNotFoundError",
        "time limit",
        True,
    ),
    Escape("catastrophic pattern", "import re\nre.match('(a|a)*$', 'a' * 60 + 'b')", "ran", "time limit", True),
    Escape("huge power", "10**10**10", "MemoryError", "time limit", True),
    Escape("huge shift", "1 << 10**12", "MemoryError", "MemoryError"),
    Escape("huge factorial", "import math\nmath.factorial(10**7)", "time limit", "time limit", True),
    Escape("huge number as text", "str(7**200_000)", "ValueError", "ValueError"),
    Escape("huge text", "'a' * 10**10", "MemoryError", "MemoryError"),
    Escape("huge list", "[0] * 10**10", "MemoryError", "MemoryError"),
    Escape("huge bytes", "bytes(10**11)", "MemoryError", "MemoryError"),
    Escape("huge width", "format(1, '9999999999')", "MemoryError", "MemoryError"),
    Escape("huge range as a list", "list(range(10**9))", "MemoryError", "MemoryError"),
    Escape(
        "list that grows",
        "x = []\nwhile True:\n    x.append('a' * 100_000 + str(len(x)))",
        "MemoryError",
        "MemoryError",
    ),
    Escape("text that doubles", "x = 'a'\nwhile True:\n    x += x", "MemoryError", "MemoryError"),
    Escape("dictionary that grows", "x = {}\nwhile True:\n    x[len(x)] = [0] * 1000", "MemoryError", "MemoryError"),
    Escape(
        "billion laughs",
        "x = 'a'\nfor i in range(12):\n    x = [x] * 10\nx",
        "MemoryError or time limit",
        "time limit",
        True,
    ),
    Escape(
        "memory without Python",
        "import mmap\nx = []\nwhile True:\n    x.append(mmap.mmap(-1, 1 << 26))",
        "ModuleNotFoundError",
        "OSError",
    ),
    Escape(
        "memory error that is caught",
        "x = []\nwhile True:\n    try:\n        x.append(['a'] * 9**5)\n    except MemoryError:\n        pass",
        "MemoryError or time limit",
        "time limit",
        True,
    ),
    Escape("recursion", "def f(n):\n    return f(n + 1)\nf(0)", "RecursionError", "RecursionError"),
    Escape(
        "recursion without a limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return str(f(n + 1))\nf(0)",
        "AttributeError",
        "time limit or crash",
        True,
    ),
    Escape("recursion in C", "x = []\nfor i in range(300_000):\n    x = [x]\nrepr(x)", "ran", "RecursionError"),
    Escape("nested parentheses", "(" * 40_000 + ")" * 40_000, "SyntaxError", "SyntaxError"),
    Escape("nested signs", "-" * 90_000 + "1", "SyntaxError", "MemoryError"),
    Escape("long line", "+".join(["1"] * 40_000), "SyntaxError", "RecursionError"),
    Escape("flood of lines", "while True:\n    print('x' * 1000)", "time limit", "time limit", True),
    Escape("flood in one line", "print('x' * 20_000_000)", "output cut", "output cut"),
    Escape(
        "flood of errors",
        "import sys\nwhile True:\n    print('x' * 1000, file=sys.stderr)",
        "time limit",
        "time limit",
        True,
    ),
    Escape(
        "long error",
        "raise ValueError('x' * 10_000_000)",
        "[cut after 299970 characters]",
        "[cut after 299970 characters]",
    ),
    Escape(
        "large file", "f = open('f', 'wb')\nwhile True:\n    f.write(b'x' * 1_000_000)", "PermissionError", "OSError"
    ),
    Escape(
        "fill the disk with files",
        "for i in range(10**9):\n    with open(f'f{i}', 'wb') as f:\n        f.write(b'x' * 4_000_000)",
        "PermissionError",
        "disk limit",
    ),
    Escape(
        "empty files without end",
        "for i in range(10**9):\n    open(f'f{i}', 'wb').close()",
        "PermissionError",
        "disk limit",
    ),
    Escape(
        "directories without end",
        "import os\nfor i in range(10**9):\n    os.mkdir(f'd{i}')",
        "PermissionError",
        "disk limit",
    ),
    Escape(
        "deep directories",
        "import os\npath = 'd'\nwhile True:\n    os.mkdir(path)\n    path += '/d'",
        "PermissionError",
        "disk limit",
    ),
    Escape("file descriptors", "x = []\nwhile True:\n    x.append(open('f', 'w'))", "PermissionError", "OSError"),
    Escape("pipes", "import os\nwhile True:\n    os.pipe()", "AttributeError", "OSError"),
]
MALFORMED = [
    Escape("unclosed parenthesis", "print((1)", "SyntaxError", "SyntaxError"),
    Escape("NUL in the code", "x = 1\0", "SyntaxError", "SyntaxError"),
    Escape("half of a surrogate pair in the code", "x = '\ud800'", "SyntaxError", "UnicodeEncodeError"),
    Escape("another encoding declared", "# coding: rot13\ncevag(1)", "NameError", "NameError"),
    Escape("code that makes code", "exec('while True: pass')", "time limit", "time limit", True),
    Escape("nothing", "", "ran", "ran"),
]

GROUPS = {
    "Files": FILES,
    "Network": NETWORK,
    "Processes and signals": PROCESSES,
    "The kernel": KERNEL,
    "The interpreter": INSIDE,
    "Time, memory, output, disk": BOMBS,
    "Malformed code": MALFORMED,
}
ESCAPES = [escape for group in GROUPS.values() for escape in group]


def table() -> str:
    """The table of the page, one part for each group."""
    lines = [f"{len(ESCAPES)} escapes and bombs against both sandboxes:", ""]
    for name, group in GROUPS.items():
        lines += [f"| {name} | default | jail |", "|---|---|---|"]
        lines += [f"| {escape.name} | {escape.monty} | {escape.jail} |" for escape in group]
        lines.append("")
    return "\n".join(lines)


def page_with_table(page: str) -> str:
    """``page`` with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
