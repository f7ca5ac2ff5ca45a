"""``python -m inspector``: the same as ``inspector-host``."""

from inspector.cli import main

__all__ = ()

main()
