"""How many cores this process may use: by its affinity, and by the quota of its control group."""

import contextlib
import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def usable_cores(groups: Path = CONTROL_GROUPS) -> int:
    """
    Return the number of cores that this process may use, at least 1.

    A quota counts as the whole cores that it comes to, rounded up. It is read where a container
    sees its own: `cpu.max` (version 2), or `cpu.cfs_quota_us` (version 1).
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on this system
        cores = os.cpu_count() or 1
    quota = _quota(groups)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(groups: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text("ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota = (groups / "cpu" / "cpu.cfs_quota_us").read_text("ascii")
        period = (groups / "cpu" / "cpu.cfs_period_us").read_text("ascii")
        return int(quota) / int(period) if int(quota) > 0 else None
    return None
