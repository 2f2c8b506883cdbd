"""Waiting lists: who comes first, who fits, who is told."""
