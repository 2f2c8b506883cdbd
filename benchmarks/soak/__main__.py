"""Makes ``python -m benchmarks.soak`` work."""

from benchmarks.soak.cli import main

main()
