"""The page Assess."""
