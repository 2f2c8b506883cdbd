"""What the benchmarks measure and say, without measuring."""
