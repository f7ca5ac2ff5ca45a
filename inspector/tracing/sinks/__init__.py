"""Places that a log is written to."""
