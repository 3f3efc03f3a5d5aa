"""Documents about a version, composed at read time from its signed evidence and what was recorded since."""
