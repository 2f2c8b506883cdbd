"""Waiting lists: who would like what is taken, and is told when it is free."""
