"""Charts of the report: pure functions from evidence to inline SVG whose colours are the page's own."""
