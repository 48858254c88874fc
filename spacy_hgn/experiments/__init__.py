"""Grids of trainings: run, resume and compare them."""
