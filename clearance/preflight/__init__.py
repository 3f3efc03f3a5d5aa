"""What can be known before the first stage: whether settings, policy and the table's columns fit together."""
