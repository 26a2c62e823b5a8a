"""The command line: ``python -m mptcpsim``, and ``mptcpsim`` once installed."""

from __future__ import annotations

import signal
import sys

from mptcpsim import _mptcpsim


def main() -> int:
    """Does what is typed; returns the exit code of the binary."""
    # Nothing of Python runs meanwhile that would want to know of Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _mptcpsim.main(["mptcpsim", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
