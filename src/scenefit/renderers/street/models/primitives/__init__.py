"""Primitives of models: triangles, solids and tubes, cuts in surfaces."""
