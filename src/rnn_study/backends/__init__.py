"""The frameworks, each one package with the functions of `model.backend.Backend`, NumPy at its boundary."""
