"""The stages of a fit: each file has the frozen settings of one, its cost and its steps."""
