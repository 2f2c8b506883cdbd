"""Who the library works for: contexts, their services and settings, transactions."""
