"""End a script with one sentence if its Python is too old, too new, or not 64-bit.

The scripts that may be started with any Python import it first. Like theirs, its code is limited to Python 3.6, since
an old Python cannot refuse what it cannot parse.
"""

import sys

OLDEST = (3, 10)  # TensorFlow 2.21 has wheels for these
NEWEST = (3, 13)
BITS = sys.maxsize.bit_length() + 1


def complaint(version=sys.version_info, bits=BITS):
    """Return what is wrong with this Python and what to do, or None.

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
