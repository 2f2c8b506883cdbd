"""Measures this library beside Libres 1.4.0, operation by operation.

``python -m benchmarks`` runs every workload and prints one table. Light to import: the
workers of the older library, which has neither click nor rich, import it as well.
"""
