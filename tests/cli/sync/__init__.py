"""``libres sync`` from the outside."""
