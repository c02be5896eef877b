"""Photographs as arrays: reading, resizing, fingerprints, color casts, augmentation."""
