"""The finished study to pages: one module a report, named as its notebook, and what they share."""
