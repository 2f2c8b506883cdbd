"""Says which release this is."""

__version__ = "2.0.0.dev0"
