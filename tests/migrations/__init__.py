"""Databases of every age, and what becomes of them."""
