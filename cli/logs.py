"""The log as lines of JSON, for programs that collect it."""

import json
import logging
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """One line for each record: time, level, logger, message, and where one was, the exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; a name in it that is not Unicode does not break the line."""
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
