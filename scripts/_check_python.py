"""End a script with one sentence if TensorFlow has no release for its Python or for the computer.

The scripts that install it, which may be started with any Python, import this first. Like theirs, its code is limited
to Python 3.6, since an old Python cannot refuse what it cannot parse.
"""

import platform
import sys
import sysconfig

OLDEST = (3, 10)  # TensorFlow 2.21 has wheels for these
NEWEST = (3, 13)
BITS = sys.maxsize.bit_length() + 1
COMPUTERS = ("linux-x86_64", "linux-aarch64", "macosx-arm64", "win-amd64")  # and for these

# Others that people have, and what to use instead.
_INSTEAD = {
    "macosx-x86_64": "Intel Macs (2.16 was the last): use Docker (docker run -it python:3.12), Google Colab or another "
    "computer; if this Mac has an Apple chip, install a Python for it from https://www.python.org/downloads/",
    "win-arm64": "Windows on ARM: use Linux under WSL2 (https://learn.microsoft.com/windows/wsl/install)",
    "linux-musl": "Linux without glibc, such as Alpine: use one with it, such as Debian or the image python:3.12",
}


def this_computer():
    """Return what this Python was built for, as in COMPUTERS; "linux-musl" for a Linux without glibc."""
    if sys.platform == "darwin":  # one build may be for both chips
        return "macosx-" + platform.machine()
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return "linux-musl"
    return sysconfig.get_platform()


def complaint(version=sys.version_info, bits=BITS, computer=None):
    """Return what is wrong with this Python or computer and what to do, or None.

    Args:
        version: major and minor version come first.
        bits: 64 or 32.
        computer: as `this_computer` returns it, the default.
    """
    computer = computer or this_computer()
    if tuple(version[:2]) < OLDEST:
        fault = "is too old"
    elif tuple(version[:2]) > NEWEST:
        fault = "is too new, TensorFlow has no release for it"
    elif bits < 64:
        fault = "is a 32-bit one, for which TensorFlow has no release"
    elif computer not in COMPUTERS:
        otherwise = computer + ": use a computer with Linux, Windows or an Apple chip, or Google Colab"
        return "TensorFlow 2.21 has no release for " + _INSTEAD.get(computer, otherwise)
    else:
        return None
    return (
        f"Python {version[0]}.{version[1]} at {sys.executable} {fault}: install a 64-bit Python "
        f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} (https://www.python.org/downloads/) and run this with it."
    )


if __name__ == "_check_python" and complaint():  # not as scripts._check_python, which others ask
    sys.exit(f"error: {complaint()}")
