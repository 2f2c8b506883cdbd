"""The embedded PostgreSQL: real servers, real kills."""
