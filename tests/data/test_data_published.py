"""Real data against the figures that are published of it."""

import pytest

from mllc.config.compose import compose
from mllc.inspection import inspect
from mllc.open_data import open_data

PUBLISHED = {
    "bibtex": ("bibtex", 7395, 1836, 159, 2.402, 98.49, 12.498, 2856),
    "corel5k": ("Corel5k", 5000, 499, 374, 3.522, 99.06, 189.568, 3175),
    "yeast": ("yeast", 2417, 103, 14, 4.237, 69.74, 7.197, 198),
    "emotions": ("emotions", 593, 72, 6, 1.869, 68.86, 1.478, 27),
}
"""File names, samples, features, labels, labels a sample, zeros (%), MeanIR, label sets: Mulan, Charte et al. 2015."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(real_data, name):
    files, samples, features, labels, cardinality, zeros, imbalance, sets = PUBLISHED[name]
    folder = real_data / "mulan" / name
    ending = "-sparse.arff" if name == "corel5k" else ".arff"
    paths = [f"dataset.{split}={folder}/{files}-{split}{ending}" for split in ("train", "test")]
    found = inspect(open_data(compose(["dataset=arff", *paths, f"dataset.labels={folder}/{files}.xml"])))
    assert (found.whole.num_samples, found.input_shape, len(found.label_names)) == (samples, (features,), labels)
    assert found.whole.cardinality == pytest.approx(cardinality, abs=1e-3)
    assert 100 * (1 - found.whole.density) == pytest.approx(zeros, abs=0.01)
    assert found.whole.mean_imbalance == pytest.approx(imbalance, abs=1e-3)
    assert found.whole.label_sets == sets
