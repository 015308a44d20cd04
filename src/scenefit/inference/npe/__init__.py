"""Sequential, tiled neural posterior estimation: one module for each step of a round."""
