"""Figures from labels and probabilities, with their intervals; nothing here knows a photograph."""
