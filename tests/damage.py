"""Files damaged at random, as disks, transfers and editors do it: a reader reads them, or refuses them in words."""

import random
from collections.abc import Callable
from pathlib import Path

from mllc.errors import MllcError


def require_words(read: Callable[[], object], *files: Path, letters: bytes = b"") -> None:
    """Calls `read` 150 times, each time with a few bytes of one of the files changed; it may raise an MllcError only.

    letters  that matter in the format: put in beside those of the file, a zero, and what is not UTF-8
    """
    whole = {file: file.read_bytes() for file in files}
    refused = 0
    for seed in range(150):
        chance = random.Random(seed)
        file = chance.choice(files)
        content, alphabet = bytearray(whole[file]), sorted({*whole[file], *letters, *b"\0\xff"})
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(content) + 1)
            content[at : at + chance.choice([0, 1, 1, 8])] = bytes(chance.choices(alphabet, k=chance.randint(0, 3)))
        file.write_bytes(content)
        try:
            read()
        except MllcError:
            refused += 1
        file.write_bytes(whole[file])
    assert 0 < refused < 150
