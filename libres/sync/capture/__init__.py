"""Notes every change of registered tables, whoever makes it, by triggers."""
