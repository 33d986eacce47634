"""Predictions to scores and files."""
