"""A controlled comparison of recurrent cells in PyTorch and TensorFlow."""
