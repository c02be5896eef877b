"""From a plan to a candidate. Loads TensorFlow."""
