"""Contexts, services, sessions, telling and transactions."""
