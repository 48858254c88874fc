"""Resume killed trainings, through ``[training.logger]``.

A checkpoint holds weights, optimizer and random state, and all evaluations so far. spaCy's loop
can't begin in the middle. So a resumed training replays the steps before the checkpoint: batches
are drawn and schedules advance, but nothing is computed.
"""
