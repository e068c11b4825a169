"""The HTTP face of the service."""

from web.application import Application, create_app

__all__ = ["Application", "create_app"]
