"""What is known of a host, as plain values: without Textual, so that it is tested without an app."""

__all__ = ()
