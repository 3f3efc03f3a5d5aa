"""What maintainers run: files that are computed from the code rather than typed."""
