"""Run actors under trio and let an inspector look at them."""
