"""BEND (Marin et al., ICLR 2024): its files, tasks and published numbers."""
