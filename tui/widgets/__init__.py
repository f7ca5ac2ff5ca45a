"""What is seen, a widget a module."""

__all__ = ()
