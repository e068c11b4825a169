"""Each sample of the corpus has the values that its standard, its writer or exiftool states."""

from pathlib import Path
from typing import Any

import pytest

from ingest.builtin import charsets
from ingest.builtin.image import ImageError
from ingest.builtin.process_file import process_file
from ingest.outcome import Outcome
from tests.corpus.samples import Sample, samples

SAMPLES = list(samples())


def value_of(metadata: Any, field: str) -> Any:
    """Return a field, or None; a dot leads into a group."""
    group, _, name = field.partition(".")
    found = metadata.get(group)
    return found.get(name) if name and found is not None else found


def outcome_of(path: Path) -> tuple[Outcome, str]:
    """Return what is recorded of a file, with its error or none."""
    try:
        return process_file(path), ""
    except ImageError as error:
        return error.outcome, str(error)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_sample_has_its_values(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value differs, and an error or a warning is recorded only where one is expected."""
    monkeypatch.setattr(charsets, "_detector", lambda: None)
    path = tmp_path / sample.name
    path.write_bytes(sample.data)
    outcome, error = outcome_of(path)
    found = {field: value_of(outcome.metadata, field) for field in sample.expected}
    assert found == dict(sample.expected)
    assert error.startswith(sample.error)
    assert bool(error) == bool(sample.error)
    if sample.warning:
        assert str(outcome.warning).startswith(sample.warning)


def test_samples_have_names_of_their_own() -> None:
    """A failure names one sample; and there are as many as the fields and formats need."""
    names = [sample.name for sample in SAMPLES]
    assert len(set(names)) == len(names) >= 150
