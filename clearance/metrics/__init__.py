"""What is measured: counts, rates and their intervals, performance, fairness, the plots' data."""
