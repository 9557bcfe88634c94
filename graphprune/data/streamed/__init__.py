"""Datasets that stay where they are: a manifest of files, and images read when they are needed."""
