"""Keras networks: built, exported, explained. Loads TensorFlow."""
