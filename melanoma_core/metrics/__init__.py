"""Metrics of labels and probabilities, with their intervals."""
