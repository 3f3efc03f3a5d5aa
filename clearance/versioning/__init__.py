"""Git and DVC, the only room that imports them.

Which code, data and outputs belong together, and where they are kept."""
