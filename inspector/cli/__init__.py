"""``inspector-host``, and what its options mean."""

from inspector.cli.main import main
from inspector.cli.run import run

__all__ = ("main", "run")
