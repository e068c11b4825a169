"""The clustered form: sessions that many processes share in one PostgreSQL database."""
