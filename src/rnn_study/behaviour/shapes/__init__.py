"""Every sequence shape that the tutorials teach: what networks of each make of it, and what became of each claim."""
