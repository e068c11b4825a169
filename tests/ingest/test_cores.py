"""How many workers run without a setting: as many as there are cores that may be used."""

from pathlib import Path

import pytest

from ingest.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1),
     ("9900000 100000", 8), ("", 8), ("0 0 0", 8)],
)  # fmt: skip
def test_quota_of_a_container_limits_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    """A container with half a core on a machine of 64 gets one worker, not 64."""
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3)])
def test_quota_of_version_1_limits_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    """Older systems have it in two files; -1 is none."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == cores


def test_cores_are_those_of_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`taskset -c 0` is one worker, whatever the machine has."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert usable_cores(tmp_path) == 1
