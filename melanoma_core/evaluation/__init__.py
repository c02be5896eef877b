"""Models measured, compared, described and promoted."""
