"""Runs the steps of a run as processes: fork server, early start, workspaces. It knows nothing of Prefect."""
