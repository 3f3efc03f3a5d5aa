"""What a version's documents say, what the world has added since, and whether they still hold."""
