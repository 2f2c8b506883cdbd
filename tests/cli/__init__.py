"""Tests of the command ``libres``."""
