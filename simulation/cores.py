"""How many cores this process may use: fewer than the machine has, in a container, under a scheduler or ``taskset``."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return the number of threads that can work at once: at least 1."""
    # os.process_cpu_count heeds PYTHON_CPU_COUNT, too, where there is one (Python 3.13).
    count = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    if hasattr(os, "sched_getaffinity"):
        count = min(count, len(os.sched_getaffinity(0)))
    share = _granted(_CGROUPS, _own_groups(Path("/proc/self/cgroup")))
    return max(1, count if math.isinf(share) else min(count, math.ceil(share)))


def _own_groups(file: Path) -> list[str]:
    """Return the paths of the control groups that this process is in."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.split(":", 2)[2].strip("/") for line in lines if line.count(":") >= 2]


def _granted(root: Path, groups: list[str]) -> float:
    """Return the cores that control groups grant, those above them included; infinite without a limit.

    A container sees its own group as the root; elsewhere the group is a folder below it. Version 2 writes "QUOTA
    PERIOD" or "max PERIOD" (microseconds), version 1 two files, with a quota of -1 for none.
    """
    places = {root, root / "cpu", root / "cpu,cpuacct"}
    for group in groups:
        for base in (root, root / "cpu", root / "cpu,cpuacct"):
            place = base / group
            while place != base and base in place.parents:
                places.add(place)
                place = place.parent
    found = [math.inf]
    for place in places:
        for quota, period in (
            _words(place / "cpu.max"),
            _words(place / "cpu.cfs_quota_us", place / "cpu.cfs_period_us"),
        ):
            if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
                found.append(int(quota) / int(period))
    return min(found)


def _words(*files: Path) -> tuple[str, str]:
    """Return the first two words of some small files; empty where they cannot be read."""
    try:
        words = [word for file in files for word in file.read_text(encoding="utf-8").split()]
    except OSError:
        return "", ""
    return (words[0], words[1]) if len(words) >= 2 else ("", "")
