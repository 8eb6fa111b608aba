"""One run: what determines it, its training, what it leaves, where that is kept."""
