"""Training runs that go on where they were killed, through ``[training.logger]`` alone.

A checkpoint holds weights, optimizer and random state, and every evaluation so far. spaCy's
loop can't be told to begin in its middle; so a run that goes on replays the steps before the
checkpoint: batches are drawn and schedules advance, but nothing is computed.
"""
