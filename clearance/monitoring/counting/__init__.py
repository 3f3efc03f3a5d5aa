"""From decisions on record to counts by the hour, kept in the store; a window is a sum of them."""
