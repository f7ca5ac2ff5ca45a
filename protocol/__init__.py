"""What is said between a host and its inspectors, and in what order; no sockets, no event loop."""

__all__ = ()
