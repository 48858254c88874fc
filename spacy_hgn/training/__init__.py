"""Training: gold tags, loss, incorrect spans, rehearsal, recipes and loggers."""
