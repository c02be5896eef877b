"""Melanoma detection on dermoscopic photographs: training, inference and their records.

Packages by task, which import each other in one direction (tests/test_architecture.py holds the
table). The core imports no Streamlit, and only `networks` and `training` load TensorFlow.
"""

__version__ = "0.10.0"
