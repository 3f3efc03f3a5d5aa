"""What must hold at each data boundary: Great Expectations suites, one file a boundary."""
