"""`mllc` and `python -m mllc`."""

import os

from mllc import interrupt


def main() -> None:
    """The entry point: minds Ctrl-C before anything that takes time is imported."""
    interrupt.leave_at_once()
    from mllc import cli

    try:
        cli.main()
    except SystemExit as left:
        if left.code == interrupt.EXIT_CODE:  # all is put away; Python's own end would still wait for threads
            os._exit(interrupt.EXIT_CODE)
        raise


if __name__ == "__main__":
    main()
