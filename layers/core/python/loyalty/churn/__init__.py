"""Who stops buying, when to say so, and what they are worth: BG/NBD for when, Gamma-Gamma for how much."""
