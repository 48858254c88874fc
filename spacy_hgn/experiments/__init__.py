"""Grids of trainings: run them, resume them, and compare what came out."""
