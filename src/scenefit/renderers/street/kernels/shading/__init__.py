"""Light: the sky, and how surfaces reflect it and the sun."""
