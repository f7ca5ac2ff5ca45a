"""The terminal app `inspector-tui`, its headless commands, and the log store."""

__all__ = ()
