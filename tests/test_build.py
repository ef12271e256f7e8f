"""What a replica starts from, and what the options of a run do to its data."""

import pytest
import torch
from PIL import Image
from torchvision import models

from mllc import build
from mllc.build import build_replica, share
from mllc.config.compose import compose, expand
from mllc.errors import MllcError
from mllc.plan import cohorts
from mllc.preflight import check, validate

SHEET = ("dataset.samples=240", "dataset.test_samples=80", "dataset.grid=3", "device=cpu")


def test_the_label_outputs_start_at_zero_or_at_the_prior_and_with_the_same_weights():
    zero, prior = expand([*SHEET, "head.bias_init=zero,prior"])
    assert len(cohorts([zero, prior])) == 1, "they are compared on the same batches"
    shared = share(zero)
    plain, informed = (build_replica(conf, "", shared).model.labels for conf in (zero, prior))
    assert torch.equal(plain.weight, informed.weight)
    assert not plain.bias.any()
    counts, samples = shared.statistics.label_counts, shared.statistics.num_samples
    expected = [torch.logit(torch.tensor((n + 0.5) / (samples + 1))).item() for n in counts.tolist()]
    torch.testing.assert_close(informed.bias.detach(), torch.tensor(expected))
    assert informed.bias.isfinite().all()


def test_single_positives_are_of_the_training_split_alone_and_known_to_the_losses():
    whole, single = share(compose(SHEET)), share(compose([*SHEET, "dataset.single_positive=true"]))
    assert single.data.train.targets.sum(1).max() == 1
    assert single.statistics.mean_cardinality <= 1
    for split in ("val", "test"):
        assert torch.equal(single.data.split(split).targets, whole.data.split(split).targets)
    found = [note for note in single.data.notes if "never true" in note]
    assert found
    assert int(found[0].split()[0]) == (single.statistics.label_counts == 0).sum()
    assert single.data.train.ids == whole.data.train.ids, "the split does not depend on the option"


def test_labels_that_are_always_true_are_said_and_get_finite_weights(tmp_path):
    rows = "\n".join(f"{i % 7},{i % 3},1,{i % 2},0" for i in range(40))
    (tmp_path / "a.arff").write_text(
        "@relation r\n@attribute x numeric\n@attribute z numeric\n"
        + "".join(f"@attribute {name} {{0,1}}\n" for name in ("always", "even", "never"))
        + f"@data\n{rows}\n"
    )
    conf = compose(["dataset=arff", f"dataset.train={tmp_path}/a.arff", "dataset.num_labels=-3", "loss=weighted_bce"])
    shared = share(conf)
    assert [note for note in shared.data.notes if "true in training" in note] == [
        "1 of 3 labels is never true in training: 'never'",
        "1 of 3 labels is always true in training: 'always'",
    ]
    weight = build_replica(conf, "", shared).objective.values(
        {"logits": torch.zeros(1, 3)}, torch.tensor([[1.0, 1.0, 1.0]])
    )
    assert weight.isfinite().all()
    assert (weight > 0).all()


def test_heads_may_differ_within_a_cohort_and_start_as_the_seed_says():
    heads = ["head.kind=linear,mlp", "head.hidden=7,9", "backbone.freeze=1"]
    linear, _, small, large = (configs := expand([*SHEET, *heads]))
    assert len(cohorts(configs)) == 1, "they are compared on the same batches"
    shared = share(linear)
    models = [build_replica(conf, "", shared).model for conf in (linear, small, large, small)]
    assert [len(model.hidden) for model in models] == [0, 3, 3, 3]
    assert [model.labels.in_features for model in models] == [shared.backbone.num_features, 7, 9, 7]
    assert torch.equal(models[1].hidden[0].weight, models[3].hidden[0].weight)
    assert torch.equal(models[1].labels.weight, models[3].labels.weight)
    for model in models:
        batch = next(shared.feed.epoch(0))
        assert model(batch.features)["logits"].shape == (len(batch.targets), len(shared.data.label_names))


def test_extra_outputs_see_what_the_label_outputs_see():
    conf = compose([*SHEET, "loss=softmax_count", "head.kind=mlp", "head.hidden=7", "head.dropout=0.5"])
    shared = share(conf)
    model = build_replica(conf, "", shared).model
    assert {unit.in_features for unit in (model.labels, *model.extra.values())} == {7}
    features = model.stages(torch.rand(3, 1, 24, 24))
    assert not torch.equal(model.train().hidden(features), model.hidden(features))
    assert torch.equal(model.eval().hidden(features), model.hidden(features))


def test_a_reader_is_given_the_size_that_suits_the_backbone(tmp_path):
    for name in "abcd":
        Image.new("RGB", (9, 7), (ord(name), 0, 99)).save(tmp_path / f"{name}.png")
    (tmp_path / "l.csv").write_text("image,labels\na.png,x\nb.png,y\nc.png,x|y\nd.png,y\n")
    lists = (f"dataset.{split}={tmp_path}/l.csv" for split in ("train", "val", "test"))
    given = ("dataset=images", f"dataset.root={tmp_path}", *lists, f"cache={tmp_path}/cache", "device=cpu")
    torch.save(models.resnet18().state_dict(), tmp_path / "w.pth")
    sizes = {
        64: [],
        224: [f"backbone.weights={tmp_path}/w.pth"],
        32: ["dataset.size=32", f"backbone.weights={tmp_path}/w.pth"],
    }
    for size, overrides in sizes.items():
        conf = compose([*given, *overrides])
        assert share(conf).data.input_shape == (3, size, size)
        assert f"of {size} x {size} pixels" in next(check([conf]))


IMAGES = ("dataset=images", "dataset.root=.", "dataset.train=l.csv", "dataset.test=l.csv", "device=cpu")
VECTORS = ("dataset=arff", "dataset.train=t.arff", "dataset.num_labels=2", "device=cpu")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*IMAGES, "backbone.weights=nowhere.pth"), "backbone.weights=nowhere.pth cannot be read"),
        ((*IMAGES, "backbone.freeze=10"), "backbone.freeze=10: this backbone has 9 layers with weights"),
        ((*IMAGES, "dataset.size=31"), "at least 32 x 32 pixels, and these have 31 x 31"),
        ((*IMAGES, "backbone=torchvision", "backbone.name=resnet180"), "is no classification model of torchvision"),
        ((*IMAGES, "amp=fp16"), "amp=fp16 wants a CUDA device"),
        ((*VECTORS, "backbone.freeze=hidden9"), "backbone.freeze=hidden9: .* did you mean 'hidden1'"),
        ((*VECTORS, "device=abacus"), "device=abacus: type auto"),
    ],
)
def test_settings_are_refused_before_data_is_read(monkeypatch, overrides, message):
    monkeypatch.setattr(build, "read_source", lambda *given: pytest.fail("the data was read first"))
    conf = compose(overrides)
    with pytest.raises(MllcError, match=message):
        share(conf)
    fine = compose(IMAGES)
    with pytest.raises(MllcError, match=message):
        validate([fine, conf], ())
