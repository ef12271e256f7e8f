"""How long `mllc` takes to answer when it trains nothing: median and spread of fresh processes.

python benchmarks/startup.py [REPEATS]
"""

import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "--help": (0.3, ["--help"]),
    "a usage error": (0.8, ["train", "--no-such-option"]),
    "an unknown key": (0.8, ["train", "los=focal"]),
    "an unknown choice": (0.8, ["train", "loss=focl"]),
    "a wrong value": (0.8, ["train", "loss=focal", "loss.gamma=abc"]),
    "a wrong value in the standard sweep": (None, ["sweep", "epochs=ten"]),
    "list losses": (None, ["list", "losses"]),
}
"""What is measured -> the most it may take (seconds), the arguments."""


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mllc", *arguments], capture_output=True, check=False)
    return time.perf_counter() - start


def main(repeats: int) -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {repeats} processes each, after one to warm up\n")
    print("| command | median s | 10 % to 90 % | limit s |\n|---|---|---|---|")
    for name, (limit, arguments) in COMMANDS.items():
        seconds(arguments)
        times = [seconds(arguments) for _ in range(repeats)]
        tenths = statistics.quantiles(times, n=10)
        print(f"| {name} | {statistics.median(times):.2f} | {tenths[0]:.2f} to {tenths[-1]:.2f} | {limit or ''} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
