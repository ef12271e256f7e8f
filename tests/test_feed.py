"""What a cohort shares: order, augmentation and frozen features, the same whoever asks and however they are kept."""

from unittest.mock import Mock

import pytest
import torch
from torch import nn

from mllc import feed as feed_module
from mllc.feed import Feed
from mllc.models.front import Front
from mllc.train import predict
from mllc.types import Dataset, Split


def a_split(name, samples, labels=5, shape=(3, 8, 8)):
    draw = torch.Generator().manual_seed(len(name))
    inputs = torch.randint(0, 256, (samples, *shape), generator=draw, dtype=torch.uint8)
    targets = (torch.rand(samples, labels, generator=draw) < 0.3).to(torch.uint8)
    return Split(inputs, targets, tuple(f"{name}:{i}" for i in range(samples)))


def a_feed(frozen=None, seed=0, batch_size=4, mean=(), std=(), **options):
    data = Dataset(
        "images", tuple("abcde"), (3, 8, 8), a_split("train", 10), a_split("val", 5), a_split("test", 6), "f"
    )
    front = Front(frozen or nn.Sequential(), mean, std)
    return Feed("tiny", data, seed, batch_size, front, torch.device("cpu"), **options)


class Rows:
    """Rows that are no tensor, as a file mapped from disk or a sparse matrix is."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __len__(self):
        return len(self.tensor)

    def __getitem__(self, index):
        return self.tensor[index]


def batches(feed, epoch=0):
    return list(feed.epoch(epoch))


def test_an_epoch_holds_every_sample_once_and_matches_inputs_with_targets():
    feed = a_feed()
    found = batches(feed)
    assert [len(batch.features) for batch in found] == [4, 4, 2]
    assert feed.steps == 3
    both = feed.data.train.inputs, feed.data.train.targets
    rows = {image.numpy().tobytes(): target for image, target in zip(*both, strict=True)}
    for batch in found:
        for image, target in zip(batch.features, batch.targets, strict=True):
            original = (image * 255).round().to(torch.uint8).contiguous().numpy().tobytes()
            assert torch.equal(rows.pop(original).float(), target)
    assert not rows


def test_a_last_batch_of_one_is_left_out():
    feed = a_feed(batch_size=3)
    assert [len(batch.features) for batch in batches(feed)] == [3, 3, 3]
    assert feed.steps == 3


def test_the_order_depends_on_seed_and_epoch_alone():
    same = [b.features for b in batches(a_feed(), 1)]
    assert all(torch.equal(a, b) for a, b in zip(same, [b.features for b in batches(a_feed(), 1)], strict=True))
    other_epoch = [b.features for b in batches(a_feed(), 2)]
    other_seed = [b.features for b in batches(a_feed(seed=1), 1)]
    assert not torch.equal(same[0], other_epoch[0])
    assert not torch.equal(same[0], other_seed[0])


def test_augmentation_is_drawn_anew_each_epoch_and_repeats_for_one_seed():
    feed = a_feed(augment={"flip": 0.5, "crop": 2})
    again = a_feed(augment={"flip": 0.5, "crop": 2})
    assert all(torch.equal(a.features, b.features) for a, b in zip(batches(feed, 3), batches(again, 3), strict=True))
    plain = torch.cat([batch.features for batch in feed.split("train")])
    assert torch.equal(plain, feed.data.train.inputs.float() / 255), "a split read in order is not augmented"


def test_pixels_are_normalised_by_channel():
    feed = a_feed(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    found = next(feed.split("val")).features
    raw = feed.data.val.inputs[:4].float() / 255
    for channel, (mean, std) in enumerate(zip((0.1, 0.2, 0.3), (0.5, 1.0, 2.0), strict=True)):
        torch.testing.assert_close(found[:, channel], (raw[:, channel] - mean) / std)


def frozen_front():
    torch.manual_seed(0)
    front = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten())
    return front.eval().requires_grad_(False)


@pytest.mark.parametrize("keep_bytes", [0, 1 << 30])
def test_kept_features_equal_features_computed_for_each_batch(keep_bytes):
    front = frozen_front()
    state = {key: value.clone() for key, value in front.state_dict().items()}
    feed = a_feed(front, keep_bytes=keep_bytes)
    raw = a_feed()
    for batch, images in zip(batches(feed), batches(raw), strict=True):
        torch.testing.assert_close(batch.features, front(images.features))
    assert all(torch.equal(value, front.state_dict()[key]) for key, value in state.items()), "batch norm did not move"


def test_a_frozen_front_runs_once_a_sample_without_augmentation_and_each_epoch_with_it():
    calls = []
    front = frozen_front()
    front.register_forward_hook(lambda _module, inputs, _output: calls.append(len(inputs[0])))
    feed = a_feed(front)
    batches(feed, 0), batches(feed, 1)
    assert sum(calls) == 10 + 1, "the ten training samples, and one to learn the size"
    calls.clear()
    feed = a_feed(front, augment={"flip": 0.5})
    batches(feed, 0), batches(feed, 1)
    assert sum(calls) == 2 * 10


def test_vectors_that_are_only_evaluated_come_in_larger_batches_and_images_do_not(monkeypatch):
    monkeypatch.setitem(feed_module.AT_ONCE, "cpu", 4 * 3 * 8 * 8)
    vectors, images = (
        a_feed(nn.Sequential(nn.Flatten()), batch_size=2),
        a_feed(batch_size=2),
    )
    found = {"vectors": vectors.split("train", as_trained=False), "images": images.split("train", as_trained=False)}
    found["as trained"] = vectors.split("train")
    sizes = {name: [len(batch.targets) for batch in batches] for name, batches in found.items()}
    assert sizes == {"vectors": [4, 4, 2], "images": [2] * 5, "as trained": [2] * 5}


def test_a_loss_that_couples_samples_is_evaluated_in_batches_of_training(monkeypatch):
    monkeypatch.setitem(feed_module.AT_ONCE, "cpu", 1 << 20)
    for coupled in (False, True):
        objective = Mock(traits=Mock(coupled=coupled))
        objective.mean.return_value = torch.zeros(())
        objective.scores.side_effect = objective.decide.side_effect = lambda outputs: outputs["logits"]
        model = Mock(side_effect=lambda rows: {"logits": torch.zeros(len(rows), 5)})
        predict(model, objective, a_feed(nn.Sequential(nn.Flatten()), batch_size=2), "train", 0)
        assert model.call_count == (5 if coupled else 1)


def test_rows_that_are_no_tensor_are_read_batch_by_batch():
    feed, plain = a_feed(), a_feed()
    object.__setattr__(feed.data.train, "inputs", Rows(feed.data.train.inputs))
    assert all(torch.equal(a.features, b.features) for a, b in zip(batches(feed), batches(plain), strict=True))


def test_a_mask_travels_with_its_rows():
    feed = a_feed()
    mask = torch.rand(10, 5, generator=torch.Generator().manual_seed(3)) < 0.5
    object.__setattr__(feed.data.train, "mask", mask)
    found = torch.cat([batch.mask for batch in feed.split("train")])
    assert torch.equal(found, mask)
