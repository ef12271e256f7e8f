"""`python -m mllc`."""

from mllc.cli import main

if __name__ == "__main__":
    main()
