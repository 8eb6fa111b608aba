"""Imported by a fork server before a framework: without looking for garbage meanwhile that takes a quarter less time.

Its workers collect again (`workers._start`), but not what they share with the server.
"""

import gc

gc.disable()
