"""Actors: one actor, one turn at a time."""

__all__ = ()
