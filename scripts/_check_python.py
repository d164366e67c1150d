"""Ends a script in one sentence where its Python is too old, too new, or not 64-bit.

Imported first by the scripts that people start with whatever Python they have. Written for Python 3.6, as the lines of
those scripts have to be, too: what an old Python cannot parse it cannot refuse.
"""

import sys

OLDEST = (3, 10)  # TensorFlow 2.21 has wheels for these
NEWEST = (3, 13)
BITS = sys.maxsize.bit_length() + 1


def complaint(version=sys.version_info, bits=BITS):
    """Returns what is wrong with this Python and what to do, or None where it will do.

    Args:
        version: major and minor version come first.
        bits: 64 or 32.
    """
    if tuple(version[:2]) < OLDEST:
        fault = "is too old"
    elif tuple(version[:2]) > NEWEST:
        fault = "is too new, TensorFlow has no release for it"
    elif bits < 64:
        fault = "is a 32-bit one, for which TensorFlow has no release"
    else:
        return None
    return (
        f"Python {version[0]}.{version[1]} at {sys.executable} {fault}: install a 64-bit Python "
        f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} (https://www.python.org/downloads/) and run this with it."
    )


if complaint():
    sys.exit(f"error: {complaint()}")
