"""Does a change of the code leave every number as it was? `python -m benchmarks.golden OTHER_CHECKOUT`.

Tiny worlds are refitted in another checkout and in this one, on the same machine, and all arrays that come out are
compared bit for bit: weights and the rest of each step's saved state, sampled scenes, images, masks, boxes. Names, keys
of files, records and times are not, so that these may change. Nothing is kept for a later day, for other processors
round differently.
"""
