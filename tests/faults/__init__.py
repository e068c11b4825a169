"""Faults injected into a real server, and the audit: `python -m tests.faults`."""
