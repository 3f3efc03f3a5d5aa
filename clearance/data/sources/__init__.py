"""Where tables come from: files, databases, OpenML, and the types of their columns."""
