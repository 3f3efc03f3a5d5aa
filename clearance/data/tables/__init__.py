"""The prepared tables: the ids of rows, the side of the split each row is on, and how stages read them."""
