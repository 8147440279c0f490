"""No module names what only some systems have, outside of the one file that asks for it with a fallback."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.repository.test_architecture import core_files, plugin_files

MODULES = "crypt fcntl grp nis posix pty pwd readline resource syslog termios tty"
OS = """
O_ASYNC O_CLOEXEC O_DIRECTORY O_DSYNC O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC O_SYNC chown chroot ctermid eventfd fchown
fdatasync fork forkpty fpathconf fstatvfs getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getresuid
getsid getuid killpg lchown major makedev memfd_create minor mkfifo mknod nice openpty pathconf pipe2 posix_fadvise
posix_fallocate posix_spawn pread preadv pwrite readv register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile
setgid setpgid setpriority setsid setuid statvfs sync sysconf tcgetpgrp ttyname uname wait wait3 wait4 waitid writev
"""
SIGNAL = """
SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2
SIGVTALRM SIGWINCH alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigwait
"""
TIME = "clock_gettime clock_settime pthread_getcpuclockid tzset"
"""What Windows lacks, by the availability notes of Python's library reference."""
ABSENT_MODULES = set(MODULES.split())
ABSENT = {"os": set(OS.split()), "signal": set(SIGNAL.split()), "time": set(TIME.split())}


@pytest.mark.parametrize("path", [*core_files, *plugin_files], ids=lambda path: path.stem)
def test_a_module_names_nothing_that_a_system_lacks(path: Path) -> None:
    assert not sorted(unportable(path.read_text(encoding="utf-8")))


def test_what_a_system_lacks_is_found() -> None:
    text = "import os, fcntl\nfrom signal import SIGHUP\nos.open(name, os.O_RDONLY | os.O_NOFOLLOW)"
    assert unportable(text) == {"fcntl", "signal.SIGHUP", "os.O_NOFOLLOW"}


def unportable(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"} if node.attr in ABSENT.get(node.value.id, ()) else set()
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names} & ABSENT.get(node.module or "", set())
            found |= {f"{node.module}.{name}" for name in names} | ({node.module or ""} & ABSENT_MODULES)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & ABSENT_MODULES
    return found
