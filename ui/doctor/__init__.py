"""The page Data doctor."""
