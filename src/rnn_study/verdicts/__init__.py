"""The study's questions, answered: what each measures, what may be said of it, and whether that holds elsewhere."""
