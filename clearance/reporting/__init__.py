"""How a verdict is told: wording, headline, summary, page. It repeats what was decided, never more."""
