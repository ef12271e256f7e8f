"""The YAMLs of a user's own folder: whatever is wrong in one is told in a line that names the file by its own path."""

import pytest

from mllc.config import compose as config
from mllc.errors import ConfigError

FOCAL = "defaults: [focal]\n"

WRONG = {
    "loss": {
        b"\xff\xfe\x00\x01": "cannot be read: it is not UTF-8 text",
        b"a: \x00": "is not YAML",
        "a: [1\n": ", line 2 is not YAML: expected ',' or ']'",
        "": "holds no settings",
        "[1, 2]": "holds no settings",
        "3: 4\n" + FOCAL: "the key 3 must be text",
        "defaults: 3": "defaults must be a list, such as [focal]",
        "defaults: [focl]": "loss 'focl' is not in conf/loss or",
        "_target_: 3": "_target_: 3 must be package.module.function",
        "_target_: a..b": "_target_: a..b must be package.module.function",
        "margin: 1": "it needs a line `_target_: package.module.function`",
        FOCAL + "traits: 3": "traits: 3 must be settings",
        FOCAL + "traits: {types: 3}": "traits.types: : 3 must be a declaration",
        FOCAL + "traits: {types: {gamma: 3}}": "traits.types: gamma: 3 must be a declaration",
        FOCAL + "traits: {types: {gamma: number > x}}": "gamma: number > x must be a declaration",
        FOCAL + "gamma: x": "loss.gamma=x is not allowed: it must be a number >= 0",
        FOCAL + "gamma: ${nope}": "loss.gamma cannot be resolved: Interpolation key 'nope' not found",
        FOCAL + "gamma: ${nope": "cannot be composed: no viable alternative",
    },
    "sweep": {
        b"\xff": "cannot be read: it is not UTF-8 text",
        "grid: 3": "grid must be lines such as `loss: bce,focal`",
        "grid: {loss: [bce, focal]}": "grid must be lines such as `loss: bce,focal`",
        "shared: [seed]": "shared must be lines",
        "rows: 3": "rows must be a list of trials",
        "rows: [3]": "rows must be a list of trials",
        "rows: [loss=bce]": "rows must be a list of trials",
        "rows: [[loss]]": "rows must be a list of trials",
        "shards: 3": "unknown key shards; it may hold summary, shared, grid, rows",
    },
    ".": {
        b"\xff": "cannot be read: it is not UTF-8 text",
        "defaults: 3": "defaults must be a list",
        "epochs: 1": "its defaults name no dataset",
        "": "holds no settings",
    },
}


@pytest.mark.parametrize(
    ("group", "content", "message"),
    [(group, *wrong) for group, all_wrong in WRONG.items() for wrong in all_wrong.items()],
)
def test_wrong_content(tmp_path, group, content, message):
    file = tmp_path / group / ("config.yaml" if group == "." else "mine.yaml")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        config.expand([] if group == "." else [f"{group}=mine"], tmp_path, preset=None)
    text = str(caught.value)
    assert message in text
    assert str(tmp_path) in text or "Interpolation" in text
    assert not any(word in text for word in ("Errno", "unicode string", "Hydra", "hydra", "search path"))


@pytest.mark.parametrize("name", ["loss/mine.yaml", "sweep/mine.yaml", "config.yaml"])
def test_a_folder_called_like_a_yaml(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"{tmp_path}/{name} cannot be read: Is a directory"):
        config.expand([f"{name.partition('/')[0]}=mine"] if "/" in name else [], tmp_path, preset=None)


def test_a_users_config_yaml_names_the_defaults(tmp_path):
    groups = ("backbone: mlp", "loss: focal", "optimizer: sgd", "schedule: cosine", "tracker: none")
    ours = (config.catalogue.conf_folder() / "config.yaml").read_text().partition("\n\n")[2]
    lines = "".join(f"  - {group}\n" for group in (*groups, "dataset: digits", "_self_"))
    (tmp_path / "config.yaml").write_text("defaults:\n" + lines + ours)
    conf = config.compose([], tmp_path)
    assert [conf[group]["name"] for group in ("loss", "optimizer", "schedule")] == ["focal", "sgd", "cosine"]


def test_a_folder_given_from_here(tmp_path, monkeypatch):
    (tmp_path / "own/loss").mkdir(parents=True)
    (tmp_path / "own/loss/relative.yaml").write_text(FOCAL + "gamma: 3\n")
    monkeypatch.chdir(tmp_path)
    assert config.compose(["loss=relative"], config.Path("own"))["loss"]["gamma"] == 3.0


def test_rates_without_an_optimizer_are_those_of_the_default(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep/mine.yaml").write_text("grid: {optimizer.lr: rates}")
    assert len(config.expand(["sweep=mine"], tmp_path)) == 3
