"""The data doctor: findings on a data set, and its clean table."""
