"""From raw sources to tasks, and problems made on the spot."""
