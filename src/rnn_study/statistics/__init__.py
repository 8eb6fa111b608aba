"""What scores and times to a solution say, and how surely."""
