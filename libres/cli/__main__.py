"""Runs the command as ``python -m libres.cli``, where no script is installed."""

from __future__ import annotations

from libres.cli import main

if __name__ == "__main__":
    main(prog_name="libres")
