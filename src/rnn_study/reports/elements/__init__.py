"""What every page is made of: figures, tables and lists, words and numbers."""
