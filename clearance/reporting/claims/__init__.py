"""Sentences that can be checked: each is derived from artefacts, or was written by a named person."""
