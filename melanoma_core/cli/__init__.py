"""The command line: `python -m melanoma_core COMMAND`, one module per family of commands."""
