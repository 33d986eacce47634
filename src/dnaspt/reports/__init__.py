"""Evaluated runs to a page that compares them."""
