"""Measures claims: ``python -m benchmarks.claims``."""
