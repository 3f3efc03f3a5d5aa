"""OpenLineage events of a run: their file, their way to an endpoint, and what a version was made of.

It tells what happened and decides nothing: a verdict never depends on it.
"""
