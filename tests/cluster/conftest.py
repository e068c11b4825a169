"""A new database for each test of the clustered form."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture
def database(postgres_socket: str) -> Iterator[str]:
    """Create an empty database, and yield its URL."""
    name = f"test_{uuid.uuid4().hex}"
    administration = f"postgresql://ingest@/postgres?host={postgres_socket}"
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield f"postgresql://ingest@/{name}?host={postgres_socket}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
