"""The paper: what a game is, how it is played, and what stands on its shelves.

Read this room alone, from `data` and `interfaces` to `game`, `two_player` and `loop`, to know all that is GAN about
ganzoo. Words of other rooms that are used here:

recipe: the TOML file that names a run's components and their options; a component's options are its constructor's
    keyword parameters.
shelf: a kind of component ("generator", "loss"), as plugins register them by name.
run: a recipe played once; it logs a row of numbers every so many steps (metrics.jsonl), keeps checkpoints, from which
    it resumes exactly, and draws previews of its samples.
kind: of samples: how they are stored, drawn and written ("image", "point"). Networks see what the kind makes of them.
rank: one of several processes that train one run, each on its part of every batch.
captured round: one that is recorded as a CUDA graph and replayed, so that nothing in it may depend on the host.
extractor: a network whose features metrics compare.
root: the folder of all data sets; split: "train" or "test"; fallback: the data set that a recipe takes where its own
    cannot be had.
"""
