"""Melanoma detection on dermoscopic photographs: training, inference and their records.

The modules stand on floors and import only from floors below their own (tests/test_architecture.py
holds the table). The package knows no Streamlit, and only the Keras floors load TensorFlow.
"""
