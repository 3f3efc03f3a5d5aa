"""Drafts a project's settings from a table: a person decides, and what the table cannot say is named."""
