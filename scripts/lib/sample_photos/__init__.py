"""Drawn photos of garments, in the manner of a catalogue: what `make_sample_dataset.py` photographs.

`shapes` curves and pieces of cloth, in units of half a shoulder's width; `fabrics` colours and patterns; `figure` who
or what wears a garment; `garments` the cuts of the six classes; `backdrops` the grounds; `rendering` from units to
pixels; `studio` what is on a photo and where, and the photo with its boxes.

The same seed gives the same pixels on every platform: all chance comes from `random.Random`, geometry uses only
operations that IEEE 754 rounds exactly (no sine, no power), and pixels come from Pillow's integer arithmetic.
"""
