"""BEND (Marin et al., ICLR 2024): its files, its tasks, protocols on them, and published numbers to compare with."""
