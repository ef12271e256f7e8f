"""Lines of `label,label index:value ...`: the fast parser against one that reads line by line, refusals by line."""

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllc.data import svmlight
from mllc.data.decimal_text import PAD, decimals
from mllc.data.svmlight import read_lines
from mllc.errors import DataError

NUMBER = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def naive(text):
    """The rows of a text, (labels, indices, values), or the number of the first line that is wrong."""
    rows = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        line = line.removesuffix(b"\r").split(b"#")[0].replace(b"\t", b" ")
        words = [word for word in line.split(b" ") if word]
        labels = words.pop(0).split(b",") if words and line[:1] != b" " and b":" not in words[0] else []
        pairs = [word.split(b":", 1) for word in words]
        whole = [*labels, *(pair[0] for pair in pairs)]
        good = all(word and not word.strip(b"0123456789") and int(word) < 2**31 - 1 for word in whole)
        good = good and all(len(pair) == 2 and NUMBER.fullmatch(pair[1]) for pair in pairs)
        if not good:
            return number
        row = ([int(w) for w in labels], [int(p[0]) for p in pairs], [float(p[1]) for p in pairs])
        if any(abs(value) > float(np.finfo(np.float32).max) for value in row[2]):
            return number
        if any(len(set(part)) < len(part) for part in row[:2]):
            return number
        rows.append(row)
    return rows


def read(file):
    """The same by the parser."""
    rows, first = [], 1
    try:
        for lines in read_lines(file):
            assert lines.numbers.tolist() == list(range(first, first + len(lines.numbers)))
            first += len(lines.numbers)
            labels = np.split(lines.labels, lines.label_ends[:-1])
            features = zip(
                np.split(lines.indices, lines.feature_ends[:-1]),
                np.split(lines.values, lines.feature_ends[:-1]),
                strict=True,
            )
            for row, (label, (index, value), blank) in enumerate(zip(labels, features, lines.blank, strict=True)):
                assert blank == (not len(label) and not len(index)), row
                rows.append((label.tolist(), index.tolist(), value))
    except DataError as error:
        return int(re.search(r"line (\d+): ", str(error))[1])
    return rows


def assert_same(file, text):
    file.write_bytes(text)
    expected, found = naive(text), read(file)
    if isinstance(expected, int) or isinstance(found, int):
        assert found == expected, text
        return
    assert [row[:2] for row in found] == [row[:2] for row in expected], text
    for row, other in zip(found, expected, strict=True):
        assert np.array_equal(row[2], np.array(other[2], np.float32)), text


WORDS = [b"3:1", b"12:.5", b"7:-2.25", b"0:1e-05", b"5:0.1234567890123456", b"9:5.", b"11:+4", b"100:123456789.5", b" "]
LINES = [
    b"",
    b" 4:1",
    b"2,3 1:0.09 4:7",
    b"5",
    b"1:0.5 2:1",
    b"0,12,7 3:1e3 # said",
    b"8 2:0 5:00.50",
    b"# all",
    b"9\t1:1  2:2 ",
]
ODD = b"0123456789:,. .-+eE\n\n#\t\rqdn\0\xe9_x"


@pytest.mark.parametrize("chunk", [8, 64, 1 << 18])
def test_against_a_naive_parser(tmp_path, monkeypatch, chunk):
    """Valid lines, lines spoiled at random, and noise: the same rows, or the same line refused."""
    monkeypatch.setattr(svmlight, "CHUNK_BYTES", chunk)
    draw = random.Random(chunk)
    refused = 0
    for _ in range(500):
        lines = draw.choices(LINES, k=draw.randint(1, 6))
        lines += [b"1 " + b" ".join(draw.sample(WORDS, 4)) for _ in range(draw.randint(0, 2))]
        text = bytearray(draw.choice([b"\n", b"\n", b"\r\n"]).join(lines) + draw.choice([b"\n", b""]))
        for _ in range(draw.choice([0, 1, 1, 2])):
            place = draw.randrange(len(text) + 1)
            text[place : place + draw.randint(0, 2)] = bytes(draw.choices(ODD, k=draw.randint(0, 2)))
        assert_same(tmp_path / "x.txt", bytes(text))
        refused += isinstance(naive(bytes(text)), int)
    assert 100 < refused < 400
    for _ in range(300):
        assert_same(tmp_path / "x.txt", bytes(draw.choices(b"1:2, .\n5", k=draw.randint(1, 12))))


@given(
    st.lists(st.floats(-1e30, 1e30, width=64), min_size=1, max_size=20),
    st.sampled_from(["r", ".3f", ".6g", ".12f", ".20f"]),
)
def test_decimals_are_those_of_float(values, form):
    words = [repr(value) if form == "r" else format(value, form) for value in values]
    text = np.frombuffer((" " * PAD + " ".join(words) + " ").encode(), np.uint8)
    starts = PAD + np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
    ends = starts + [len(word) for word in words]
    points = np.array(
        [
            start + (word.index(".") if "." in word and "e" not in word else len(word))
            for start, word in zip(starts, words, strict=True)
        ]
    )
    found = decimals(text, starts, points, ends)
    assert found is not None
    assert found.tolist() == [float(word) for word in words]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"1 qid:3 1:2", "`qid:` belongs to ranking data"),
        (b"1 5", "`index:value` is expected, not '5'"),
        (b"1 5:", "a finite number is expected behind `5:`, not ''"),
        (b"1 5:nan", "a finite number is expected behind `5:`, not 'nan'"),
        (b"1 5:-inf", "not '-inf'"),
        (b"1 5:1e39", "not '1e39'"),
        (b"1 5:0x10", "not '0x10'"),
        (b"1 5:1_0", "not '1_0'"),
        (b"1 5:1:2", "not '1:2'"),
        (b"1 2:3 :4", "an index is a whole number from 0, not ''"),
        (b"1 -2:3", "an index is a whole number from 0, not '-2'"),
        (b"1 2.0:3", "an index is a whole number from 0, not '2.0'"),
        (b"1 9999999999:3", "an index is at most 2147483646, not '9999999999'"),
        (b"+1 2:3", "a label is a whole number from 0, not '\\+1'"),
        (b"1.5 2:3", "a label is a whole number from 0, not '1.5'"),
        (b"1,,2 2:3", "a label is a whole number from 0, not ''"),
        (b"1, 2:3", "a label is a whole number from 0, not ''"),
        (b"red 2:3", "a label is a whole number from 0, not 'red'"),
        (b"4,2,4 2:3", "label 4 occurs twice"),
        (b"4 9:1 2:3 9:1", "index 9 occurs twice"),
        ("4 2:3".encode("utf-16-le"), "zero byte: the file is not plain text"),
        (b"4 2:3 caf\xe9", "`index:value` is expected, not 'caf"),
    ],
)
def test_refused_by_line(tmp_path, line, message):
    file = tmp_path / "x.txt"
    file.write_bytes(b"0 1:1\n# a comment\n" + line + b"\n0 1:1\n")
    with pytest.raises(DataError, match=rf"x\.txt, line 3: .*{message}"):
        list(read_lines(file))


def test_long_numbers_are_not_cut_short(tmp_path):
    assert_same(tmp_path / "x.txt", b"%040d %040d:1\n" % (5, 7))
    assert_same(tmp_path / "x.txt", b"%040d 1:1\n" % 10**25)


def test_marks_and_skipped_lines(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes(b"\xef\xbb\xbf3 1:5\n2 1:4")
    assert [row[0] for row in read(file)] == [[3], [2]]
    (lines,) = read_lines(file, skip=1)
    assert (lines.labels.tolist(), lines.numbers.tolist()) == ([2], [2])
