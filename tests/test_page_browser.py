"""The page in headless Chromium: it renders, sorts, filters, complains of nothing and asks for nothing."""

import re

import pytest
from chromium import EXECUTABLE, Browser
from run_folders import about, save
from sample_runs import make

from mllc.page.comparison import comparison_page
from mllc.page.render import render
from mllc.report import Finished, Question

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium here: apt-get install chromium")

ROWS = ("zlpr", "focal", "bce", "asymmetric")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    results = [
        about(make(name, seed, 0.9 - 0.1 * place + 0.001 * (seed - place) ** 2, lr=lr), 120)
        for place, name in enumerate(ROWS)
        for seed in range(3)
        for lr in (0.1, 0.2)
    ]
    folders = {run.run_id: save(folder / "runs", run, labels=120) for run in results}
    finished = Finished(results, folders)
    file = folder / "a page.html"
    file.write_text(render(comparison_page(finished, Question())), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(running, file):
    """The page, just opened; whatever a test does there, nothing is complained of and nothing was asked for."""
    running.open(file)
    yield running
    assert running.complaints == []
    assert running.requests == [file.as_uri()]


def texts(browser, selector):
    return browser.evaluate(f"[...document.querySelectorAll({selector!r})].map(e => e.textContent.trim())")


def names(browser, table="#rows"):
    """The rows that a table shows."""
    return browser.evaluate(
        f"[...document.querySelectorAll('{table} tbody:first-of-type tr:not([hidden]) th')].map(e => e.textContent)"
    )


def column(browser, table, title):
    """The place of a column, counted from 1."""
    return 1 + [one.rstrip(" ↑↓") for one in texts(browser, f"{table} thead th")].index(title)


def focus(browser, selector):
    browser.evaluate(f"document.querySelector({selector!r}).focus()")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_renders_at_any_width(browser, file, width, dark):
    browser.open(file, width, dark=dark)
    assert names(browser) == list(ROWS)
    wide, seen = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, "the page itself does not scroll sideways; its tables do"
    heights = browser.evaluate("[...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect().height)")
    assert len(heights) >= 6
    assert min(heights) > 100
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark


def test_what_it_must_not_do_would_be_seen(running, file, tmp_path):
    other = tmp_path / "other.html"
    foreign = '<img src="http://example.com/x.png" onerror="boom()"><script>console.log("ran")</script></body>'
    other.write_text(file.read_text(encoding="utf-8").replace("</body>", foreign), encoding="utf-8")
    running.open(other)
    told = " ".join(running.complaints)
    assert "Loading the image 'http://example.com/x.png' violates" in told
    assert "Executing inline script violates" in told
    assert "Executing inline event handler violates" in told
    assert "ran" not in [one for one in running.complaints if one.startswith("log")]
    other.write_text(file.read_text(encoding="utf-8").replace("sha256-", "sha256-0"), encoding="utf-8")
    running.open(other)
    assert "Executing inline script violates" in " ".join(running.complaints)
    assert names(running) == list(ROWS), "and still it shows everything"


def test_headings_sort_from_the_keyboard(browser):
    at = column(browser, "#rows", "mAP")
    heading = f"#rows thead th:nth-child({at})"
    assert texts(browser, "#rows th[aria-sort=ascending]") == ["#"]
    focus(browser, f"{heading} button")
    browser.press("Enter")
    assert names(browser) == list(ROWS), "numbers from the largest"
    assert texts(browser, "#rows th[aria-sort=descending]") == ["mAP"]
    browser.press(" ")
    assert names(browser) == list(reversed(ROWS))
    assert texts(browser, "#rows th[aria-sort=ascending]") == ["mAP"]
    baselines = texts(browser, "#rows tbody:last-of-type th")
    assert baselines == ["all_zeros", "all_ones", "label_prior"], "they stay where they are"
    focus(browser, f"#rows thead th:nth-child({column(browser, '#rows', 'loss')}) button")
    browser.press("Enter")
    assert names(browser) == sorted(ROWS), "words from a to z"


def test_what_is_missing_comes_last_whichever_way(browser):
    at = column(browser, "#rows", "against bce")
    for _ in range(2):
        focus(browser, f"#rows thead th:nth-child({at}) button")
        browser.press("Enter")
        assert names(browser)[-1] == "bce"


def test_rows_are_filtered(browser):
    focus(browser, "input[data-filters=rows]")
    browser.type("Foc")
    assert names(browser) == ["focal"]
    assert texts(browser, "output[data-counts=rows]") == ["1 of 7 rows"]
    for _ in range(3):
        browser.press("Backspace")
    assert names(browser) == list(ROWS)


def test_labels_are_searched_sorted_paged_and_chosen(browser):
    table = "#labels"
    assert len(names(browser, table)) == 50
    assert texts(browser, "#labels .count") == ["120 labels"]
    focus(browser, "#labels .search")
    browser.type("LABEL_11")
    assert sorted(names(browser, table)) == ["label_11", *(f"label_11{i}" for i in range(10))]
    assert texts(browser, "#labels .count, #labels .place") == ["11 of 120 labels", "1 to 11 of 11"]
    for _ in range(8):
        browser.press("Backspace")

    focus(browser, "#labels .next")
    browser.press("Enter")
    browser.press("Enter")
    assert texts(browser, "#labels .place") == ["101 to 120 of 120"]
    assert browser.evaluate("document.querySelector('#labels .next').disabled")

    browser.evaluate("document.querySelector('#labels thead th:nth-child(4) button').click()")
    values = [float(one) for one in texts(browser, "#labels tbody td:nth-child(4)")]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(0.9, abs=0.02)
    browser.evaluate("document.querySelector('#labels thead th:nth-child(4) button').click()")
    values = texts(browser, "#labels tbody td:nth-child(4)")
    assert values[0] == "0.801"
    focus(browser, "#labels .figure")
    browser.press("F", "F")
    assert set(texts(browser, "#labels tbody td:nth-child(4)")) == {"0.600"}

    focus(browser, "#labels fieldset input")
    browser.press(" ")
    assert texts(browser, "#labels thead th") == ["label", "train", "test", *ROWS[1:]]
    assert texts(browser, "#labels th[aria-sort=descending]") == ["test"], "for the sorted column is gone"
    assert len(texts(browser, "#labels tbody tr:first-child td")) == 5


def test_tab_goes_first_to_the_conclusion_and_is_seen(browser):
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the conclusion"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "main"
    seen = set()
    for _ in range(60):
        browser.press("Tab")
        kind, width = browser.evaluate(
            "[document.activeElement.tagName, parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
        )
        seen.add(kind)
        assert width >= 2, kind
    assert {"BUTTON", "INPUT", "SELECT", "SUMMARY", "DIV"} <= seen


def test_the_theme_is_the_systems_until_it_is_chosen(browser, file):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(ground)
    assert texts(browser, "#theme") == ["Dark theme"]
    focus(browser, "#theme")
    browser.press("Enter")
    dark = browser.evaluate(ground)
    assert dark != light
    assert texts(browser, "#theme") == ["Light theme"]
    assert browser.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"
    browser.open(file, dark=False)
    assert browser.evaluate(ground) == dark, "the choice is kept"
    browser.evaluate("document.getElementById('theme').click()")
    browser.open(file, dark=True)
    assert browser.evaluate(ground) == light
    browser.evaluate("localStorage.clear()")


CONTRASTS = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    const color = rgba(getComputedStyle(e).backgroundColor);
    return color[3] === 255 || !e.parentElement ? color : ground(e.parentElement);
  };
  return [...document.body.querySelectorAll("*:not(svg *, script)")]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !e.disabled)
    .map((e) => {
      const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName + "." + e.className];
    });
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_has_contrast(browser, file, dark):
    """WCAG 2 AA: 4.5 to 1 for text of ordinary size."""
    browser.open(file, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    found = browser.evaluate(CONTRASTS)
    assert len(found) > 300
    assert [(ratio, what) for ratio, what in found if ratio < 4.5] == []
    assert any("better" in what for _, what in found)


def test_without_script_everything_is_there(running, file):
    running.open(file, script=False)
    try:
        assert names(running) == list(ROWS)
        assert len(names(running, "#labels")) == 50
        assert not running.evaluate("[...document.querySelectorAll('.js')].some(e => e.offsetParent)")
        assert running.evaluate("document.querySelector('.nojs').offsetParent !== null")
        assert running.evaluate("document.querySelector('thead button') === null")
    finally:
        running.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints_light_and_unfolded(browser, file):
    browser.open(file, dark=True)
    browser.media(dark=True, kind="print")
    assert browser.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 38)"
    assert not browser.evaluate("[...document.querySelectorAll('.controls, nav')].some(e => e.offsetParent)")
    browser.media(dark=True)
    browser.evaluate("document.querySelector('details').open = true")
    browser.evaluate("addEventListener('afterprint', () => { window.printed = true })")
    folded = "document.querySelectorAll('details:not([open])').length"
    before = browser.evaluate(folded)
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert before > 0
    assert browser.evaluate(folded) == 0
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(folded) == before
    pages = len(re.findall(rb"/Type\s*/Page\b", browser.pdf()))
    assert 4 <= pages <= 20


def test_what_a_screen_reader_hears(browser):
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]

    def heard(role):
        found = [node for node in nodes if not node["ignored"] and node["role"]["value"] == role]
        return [(node["name"]["value"], node.get("description", {}).get("value", "")) for node in found]

    assert {role for role in ("main", "banner", "contentinfo", "navigation") if heard(role)} >= {"main", "navigation"}
    pictures = [*heard("img"), *heard("image")]
    assert len(pictures) >= 6
    assert all(name and len(about) > 20 for name, about in pictures)
    assert ("mAP", "") in [(name.rstrip(" ↑↓\xa0"), about) for name, about in heard("columnheader")]
    assert {name for name, _ in heard("rowheader")} >= set(ROWS)
    assert all(name for name, _ in [*heard("region"), *heard("table"), *heard("searchbox"), *heard("combobox")])
    assert len(heard("table")) >= 4
