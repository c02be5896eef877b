"""Training runs on disk: plans, states, locks, processes, tables. No TensorFlow."""
