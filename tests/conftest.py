"""Settings that every test shares."""

import os

from hypothesis import HealthCheck, settings

# A deadline, or a complaint that examples come slowly, would make a test depend on how busy the machine is.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
# A gate must give the same answer twice: a search with fresh randomness belongs to a developer or a fuzz run.
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")
