"""What is wrong with a run's training, told from its own evidence; and what this machine has.

One file a kind of finding. `history` reads rows, `samples` looks at what the generator makes, `scale` knows what the
numbers of a loss are worth; `rows` and `diagnosis` ask everything that applies, `live` does so while a run trains.
"""
