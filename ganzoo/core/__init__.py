"""The paper: what a game is, how it is played, and what stands on its shelves.

Read this room alone to know all that is GAN about ganzoo.
"""
