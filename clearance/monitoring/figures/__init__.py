"""What a rule reads from the counts of a window: each figure is an effect with its uncertainty. Pure."""
