"""How a network carries error back through time and what it remembers: NumPy only, for any cell of `cells.py` and
either framework's weights."""
