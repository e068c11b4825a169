"""Which sessions an application has: those of this process, or of a cluster (extra `[cluster]`)."""

from typing import Any

from ingest.errors import SettingsError
from ingest.settings import Settings
from web.sessions import LocalSessions, Sessions


def choose_sessions(settings: Settings, **parts: Any) -> Sessions:
    """
    Return the sessions of the database that is set: a file, or the URL of a shared one.

    `parts` are the arguments of `LocalSessions`.

    Raises:
        SettingsError: the extra is not installed, or a part was given that runs in this process.
    """
    if not settings.clustered:
        return LocalSessions(settings, **parts)
    if given := [name for name, part in parts.items() if part is not None]:
        raise SettingsError(
            f"{given[0]}= cannot be used with a shared database (INGEST_DATABASE), whose workers "
            "run the files; set INGEST_PROCESSOR=module:function for them"
        )
    try:
        from cluster.sessions import ClusterSessions  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"INGEST_DATABASE (--database) is the URL of a PostgreSQL database, which needs the "
            f"extra `cluster`: pip install 'ingest-stream[cluster]' ({error})"
        ) from error
    return ClusterSessions(settings)
