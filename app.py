"""The deployment face: `uvicorn app:app`, `ingest-stream`, and `create_app` for embedding."""

import sys

from cli.main import main
from web import Application, create_app

__all__ = ["Application", "app", "create_app", "main"]

app = create_app()

if __name__ == "__main__":
    sys.exit(main())
