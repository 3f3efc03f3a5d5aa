"""A recorded version is built again from its commit and its data, and compared with what was recorded."""
