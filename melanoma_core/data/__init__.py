"""Data sets as tables: reading them, dividing them, counting what is in them."""
