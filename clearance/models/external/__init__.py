"""Models that were made elsewhere, brought into the form in which our own models ship."""
