"""The log: text like uvicorn's, or one line of JSON for each record."""

import json
import logging
import sys
from datetime import UTC, datetime

from uvicorn.logging import DefaultFormatter

from web.log_handler import BackgroundHandler

TEXT_FORMAT = "%(levelprefix)s %(message)s"
"""The format of uvicorn's own lines."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and the exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a file name that is not Unicode is written as an escape."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_log(level: str, *, as_json: bool) -> None:
    """Write records of `level` and above to the standard error output, in a thread."""
    handler = BackgroundHandler()
    text = DefaultFormatter(TEXT_FORMAT, use_colors=sys.stderr.isatty())
    handler.setFormatter(JsonFormatter() if as_json else text)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    if level != "debug":
        logging.getLogger("procrastinate").setLevel(logging.WARNING)  # it reports each job
