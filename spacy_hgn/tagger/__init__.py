"""The head over the Hero: Gang, fusion and classifier as one torch module in a Thinc layer."""
