"""The inspector websocket: who is let in, what is answered, what is pushed."""

__all__ = ()
