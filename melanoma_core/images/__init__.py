"""Photographs as pixels: reading, resizing, fingerprints, color casts, augmentation."""
