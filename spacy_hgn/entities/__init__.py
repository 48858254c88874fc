"""Entities on the Doc, their exact probabilities, and calibration."""
