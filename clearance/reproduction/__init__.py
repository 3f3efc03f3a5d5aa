"""A recorded version built again from its commit and its data, and held against what was recorded."""
