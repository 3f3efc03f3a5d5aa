"""What must hold at each data boundary: Great Expectations suites, one module per boundary."""
