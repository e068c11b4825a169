"""The ingest of a directory: sessions that find files, have them processed, and are not lost."""

from ingest.builtin.process_file import process_file
from ingest.context import ProcessContext
from ingest.errors import IngestError, SettingsError
from ingest.outcome import Outcome, ProcessingError
from ingest.request import IngestRequest
from ingest.session import Snapshot
from ingest.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "IngestError",
    "IngestRequest",
    "Outcome",
    "ProcessContext",
    "ProcessingError",
    "Settings",
    "SettingsError",
    "Snapshot",
    "__version__",
    "process_file",
]
