"""Check that two checkouts give the same results, bit for bit: `python -m benchmarks.golden OTHER_CHECKOUT`.

Tiny worlds (grammars with renderers and photos) are fitted in another checkout and in this one, on the same machine,
and all resulting arrays are compared: weights and the rest of each step's saved state, sampled scenes, images, masks,
boxes. Names, keys of files, provenance records and times are not compared, so they may change. No results are stored,
because other processors round differently.
"""
