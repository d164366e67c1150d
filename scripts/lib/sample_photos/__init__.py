"""Drawn images of garments, in the manner of a catalogue, for `make_sample_dataset.py`.

`fabrics`: colours and patterns. `shapes`: curves, pieces of cloth and lines, in units of half a shoulder's width.
`figure`: people, mannequins, hangers. `garments`: the cuts of the six classes, made of the parts in `tailoring`.
`backdrops`: the backgrounds. `rendering`: from units to pixels. `studio`: the composition, the image and its boxes.

The same seed gives the same pixels on every platform: all chance comes from `random.Random`, geometry uses only
operations that IEEE 754 rounds exactly (no sine, no power), and pixels come from integer arithmetic.
"""
