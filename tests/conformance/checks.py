"""Counting what was checked: every script prints one line a check and fails when one failed, or when there was none."""
import sys

_made = 0
_failed = 0


def check(good, what):
    """Print and count one comparison."""
    global _made, _failed
    _made += 1
    _failed += not good
    print(("ok    " if good else "FAIL  ") + what, flush=True)
    return bool(good)


def finish():
    """Exit code 0 when something was checked and all of it was good."""
    print(f"{_made} checks, {_failed} failed")
    sys.exit(0 if _made and not _failed else 1)
