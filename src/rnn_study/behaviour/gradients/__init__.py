"""Gradient behaviour as a part of the study: what is trained and looked at for it, and what is said of it."""
