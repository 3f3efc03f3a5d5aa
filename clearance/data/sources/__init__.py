"""Where tables come from: files, databases, OpenML, and the types their columns get."""
