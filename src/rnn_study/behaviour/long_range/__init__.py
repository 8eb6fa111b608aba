"""Long-range dependency as a part of the study: how far back each cell learns to look."""
