"""The prepared tables: which rows there are, which side of the split each is on, how they are read."""
