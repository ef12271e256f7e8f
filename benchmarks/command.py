"""`mllc` as a process of its own."""

import subprocess
import sys


def mllc(*words: str) -> str:
    """Its standard output; where it fails, the benchmark ends with its message."""
    done = subprocess.run([sys.executable, "-m", "mllc", *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout
