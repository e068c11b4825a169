"""The ingest of a directory: sessions that find files, have them processed, and are not lost."""

from ingest.errors import IngestError, SettingsError
from ingest.outcome import Outcome
from ingest.process import process_file
from ingest.request import Request
from ingest.session import Snapshot
from ingest.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "IngestError",
    "Outcome",
    "Request",
    "Settings",
    "SettingsError",
    "Snapshot",
    "__version__",
    "process_file",
]
