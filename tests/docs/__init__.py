"""The documentation: its examples run, and it builds without a warning."""
