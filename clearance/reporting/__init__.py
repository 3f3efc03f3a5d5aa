"""A verdict for people: headline, summary, page, impact table. It repeats what was decided, never more."""
