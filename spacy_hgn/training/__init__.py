"""What annotated texts teach: gold, wrong spans, what can't be learnt, and rehearsal."""
