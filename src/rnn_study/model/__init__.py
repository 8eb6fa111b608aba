"""What a network is, in NumPy: cells, specifications, initial weights, update rules, and the reference passes."""
