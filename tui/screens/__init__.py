"""The app's screens, one a module."""

__all__ = ()
