"""What the kernel says about processes, sockets and the machine, from /proc."""

import os
import pathlib
import platform
import re
import time

_PROC = pathlib.Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")

# What a TCP socket costs beyond its buffers, in slab caches.
_SOCKET_CACHES = re.compile(r"TCP(v6)?|sock_inode_cache|filp|dentry|ep_head|eventpoll_\w+")


def _read(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")


def cpu_seconds(pids):
    """User and system time of all threads of processes that live, to the nanosecond.

    /proc/PID/stat has the same sums in ticks of 10 ms, too coarse for short runs.
    """
    return sum(
        int(_read(task / "schedstat").split()[0]) / 1e9
        for pid in pids
        for task in (_PROC / str(pid) / "task").iterdir()
    )


def _stat(pid):
    # The name may hold anything, a bracket too: what follows the last one is fields.
    return _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def children(pid):
    """The process and all below it."""
    parents = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int(_stat(entry.name)[1]), []).append(int(entry.name))
            except (OSError, IndexError):
                pass  # it has just ended
    found = [pid]
    for parent in found:
        found.extend(parents.get(parent, []))
    return found


def tree_cpu_seconds(pid):
    """User and system time of a process, its children, and those that have ended."""
    ticks = 0
    for member in children(pid):
        try:
            ticks += sum(map(int, _stat(member)[11:15]))
        except OSError:
            pass  # it ends now, and its parent has its time in a moment
    return ticks / _TICK


def private_bytes(pids):
    """Memory that is theirs alone: anonymous and written to."""
    return 1024 * sum(
        int(re.search(r"^Private_Dirty:\s+(\d+)", text, re.MULTILINE).group(1))
        for text in (_read(_PROC / str(pid) / "smaps_rollup") for pid in pids)
    )


def socket_count(pids):
    count = 0
    for pid in pids:
        for link in (_PROC / str(pid) / "fd").iterdir():
            try:
                count += os.readlink(link).startswith("socket:")
            except OSError:
                pass  # closed meanwhile
    return count


def socket_slab_bytes():
    """Kernel memory in the caches that sockets come from; None unless root."""
    try:
        lines = _read(_PROC / "slabinfo").splitlines()[2:]
    except PermissionError:
        return None
    fields = (line.split() for line in lines)
    return sum(
        int(active) * int(size)
        for name, active, _, size, *_ in fields
        if _SOCKET_CACHES.fullmatch(name)
    )


def _busy_ticks():
    values = list(map(int, _read(_PROC / "stat").splitlines()[0].split()[1:9]))
    user, nice, system, _idle, _iowait, irq, softirq, steal = values
    return user + nice + system + irq + softirq + steal


def busy_cpus(seconds):
    """How many CPUs others keep busy while we wait so long."""
    before = _busy_ticks()
    time.sleep(seconds)
    return (_busy_ticks() - before) / _TICK / seconds


def description():
    model = re.search(r"^model name\s*: (.*)$", _read(_PROC / "cpuinfo"), re.MULTILINE)
    memory = int(re.search(r"^MemTotal:\s+(\d+)", _read(_PROC / "meminfo")).group(1))
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return (
        f"{len(os.sched_getaffinity(0))} CPUs ({model.group(1) if model else 'unknown'}), "
        f"{memory / 2**20:.0f} GB, Linux {platform.release()}, {release}"
    )
