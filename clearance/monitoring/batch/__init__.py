"""Two tables compared without a model, a log or a project: what `python -m tasks.monitor` does."""
