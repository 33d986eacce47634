"""The only place that steps an optimizer."""
