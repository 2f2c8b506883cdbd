"""Makes ``python -m benchmarks`` work."""

from benchmarks.cli import main

main()
