"""Numbers that say how good samples are, and the networks whose features they are read from."""
