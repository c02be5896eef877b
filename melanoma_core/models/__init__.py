"""Released models: their cards and files, and what they answer. No TensorFlow."""
