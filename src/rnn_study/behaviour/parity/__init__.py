"""Do the two frameworks compute the same thing, and is it what `cells.py` says?"""
