"""Runs stages as processes: the fork server, the early start, workspaces. Nothing here imports Prefect."""
