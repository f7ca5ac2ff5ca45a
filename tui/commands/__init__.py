"""The headless commands, one a module: the same as the screens show, for pipes and scripts."""

__all__ = ()
