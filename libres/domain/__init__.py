"""What is true about reservations: pure decisions over plain values, no database."""
