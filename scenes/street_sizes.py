"""Models of scenes/street.py with their sizes in metres, and palettes. docs/street_ranges.md names the sources."""

import numpy as np

# Length, width without mirrors and height; MIRRORS is what they add to the width.
CARS = {"hatchback": (4.28, 1.79, 1.46), "saloon": (4.74, 1.83, 1.44), "estate": (4.78, 1.83, 1.51),
        "suv": (4.59, 1.84, 1.72), "coupe": (4.22, 1.84, 1.35), "city car": (3.57, 1.65, 1.48),
        "people carrier": (4.48, 1.8, 1.66), "old hatchback": (3.84, 1.68, 1.42), "old saloon": (4.57, 1.7, 1.40),
        "pickup": (5.28, 1.85, 1.78)}
VANS = {"small van": (4.39, 1.81, 1.84), "panel van": (5.53, 2.03, 2.32), "courier van": (5.53, 2.03, 2.54),
        "minibus": (5.53, 2.03, 2.32)}
TRUCKS = {"box truck": (7.4, 2.4, 3.3), "flatbed": (7.0, 2.3, 2.3), "tipper": (8.5, 2.5, 2.85)}
BUSES = {"double-decker": (10.9, 2.52, 4.3), "single-decker": (12.0, 2.55, 3.0), "coach": (12.2, 2.55, 3.55)}
MIRRORS = 0.3
# Length along the road, depth and height.
HOUSES = {"terrace": (21.0, 9.7, 10.9), "terrace with bays": (17.6, 10.7, 11.5), "cottages": (14.0, 7.4, 7.4),
          "town houses": (12.8, 11.7, 12.2), "detached": (10.2, 9.2, 10.7), "hipped": (10.7, 9.7, 11.0),
          "gable front": (11.1, 10.7, 10.6), "bungalow": (12.2, 9.2, 6.5), "shop": (6.2, 11.7, 14.2),
          "shops": (24.2, 12.6, 14.2), "shops with a parapet": (20.2, 13.5, 11.1), "flats": (21.1, 13.8, 16.6),
          "office": (24.1, 14.1, 15.6), "warehouse": (28.4, 18.7, 8.3)}
# Crown, each way, and height.
TREES = {"lime": (8.9, 7.8, 11.0), "oak": (10.9, 10.6, 10.4), "maple": (6.0, 5.1, 7.5), "young tree": (2.8, 3.1, 5.0),
         "poplar": (3.7, 3.6, 13.7), "fir": (4.3, 4.9, 10.4), "bare tree": (8.2, 8.1, 10.5),
         "bare young tree": (3.9, 3.5, 6.3)}
# In gardens and on verges, where crowns begin above cars; each in summer, then in winter.
SPECIES = ((("lime", "oak", "maple", "young tree", "poplar", "fir"),
            ("bare tree", "bare tree", "bare tree", "bare young tree", "bare young tree", "fir")),
           (("lime", "lime", "oak", "maple", "maple", "young tree"),
            ("bare tree", "bare tree", "bare tree", "bare tree", "bare young tree", "bare young tree")))
POLES = "lamp post", "tall lamp post", "short lamp post", "lantern", "telegraph pole"
SIGNS = "speed limit", "no entry", "no stopping", "warning", "give way", "stop", "parking", "bus stop"
FURNITURE = "litter bin", "post box", "trestle board"
FENCES = "railing", "boards", "pickets", "brick wall", "stone wall", "wall with railing"

# Red, green and blue. Of car paints: white, black, grey, silver, blue, red, brown, green, orange, with about the shares
# that makers of paint publish. Of walls: brick, render, stone, concrete, timber. Of the ground: grass, dry grass, soil,
# gravel. Of cycle lanes, times that of the asphalt: plain, red, green, blue.
PAINTS = np.array([(0.90, 0.90, 0.90), (0.08, 0.08, 0.09), (0.32, 0.33, 0.35), (0.66, 0.67, 0.69), (0.14, 0.22, 0.42),
                   (0.60, 0.09, 0.09), (0.40, 0.34, 0.27), (0.16, 0.30, 0.22), (0.80, 0.45, 0.10)])
SHARES = 35, 20, 18, 10, 8, 5, 2, 1, 1
WALLS = np.array([(0.55, 0.32, 0.24), (0.85, 0.82, 0.74), (0.66, 0.62, 0.54), (0.60, 0.60, 0.60), (0.45, 0.34, 0.25)])
GROUND = np.array([(0.35, 0.40, 0.25), (0.52, 0.47, 0.30), (0.46, 0.37, 0.28), (0.55, 0.53, 0.50)])
CYCLE_PAINTS = np.array([(1.0, 1.0, 1.0), (1.15, 0.70, 0.62), (0.70, 0.95, 0.70), (0.60, 0.80, 1.15)])
YELLOW = 1.0, 0.75, 0.2
