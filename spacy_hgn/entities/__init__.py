"""How sure an answer is: exact probabilities of entities, and their calibration."""
