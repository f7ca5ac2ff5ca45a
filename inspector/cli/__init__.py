"""``inspector-host``, and what its options mean."""

from inspector.cli.main import main

__all__ = ("main",)
