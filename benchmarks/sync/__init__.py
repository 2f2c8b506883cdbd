"""Measures synchronisation, and proves that its feed loses nothing."""
