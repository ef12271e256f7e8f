"""Composing: names, types, paths, the user's own folder; every YAML that mllc brings."""

import json
from pathlib import Path

import pytest
import yaml

from mllc.config import catalogue
from mllc.config import compose as config
from mllc.config.catalogue import GROUPS
from mllc.config.checks import ALLOWED, REQUIRED, allowed
from mllc.errors import ConfigError

CHOICES = [(group, name) for group in GROUPS for name in catalogue.choices(group)]


COMPOSED = [choice for choice in CHOICES if choice != ("dataset", "auto")]
"""auto is never what a config is composed of: tests/test_auto.py."""


def overrides_for(group: str, name: str) -> list[str]:
    """The override that chooses a YAML, with something for each key that it requires."""
    required = [key for key, value in catalogue.settings(group, name).items() if value == REQUIRED]
    kind = catalogue.settings(group, name)["traits"].get("kind")
    data = ["dataset=arff", "dataset.train=x"] if (group, kind) == ("backbone", "features") else []
    return [f"{group}={name}", *data, *(f"{group}.{key}=x" for key in required)]


def test_every_group_is_found():
    found = {group: sum(1 for one, _ in CHOICES if one == group) for group in GROUPS}
    least = {"dataset": 3, "backbone": 6, "loss": 8, "optimizer": 6, "schedule": 3, "tracker": 2}
    assert all(found[group] >= least[group] for group in GROUPS), found
    apart = [*catalogue.choices("sweep").values(), catalogue.config_file(), catalogue.tune_file()]
    assert len(list(catalogue.conf_folder().rglob("*.yaml"))) == len(CHOICES) + len(apart)


@pytest.mark.parametrize(("group", "name"), COMPOSED)
def test_every_yaml_composes(group, name):
    conf = config.compose(overrides_for(group, name))
    assert catalogue.choice(conf[group]) == name
    assert callable(config.target(conf[group]))
    assert conf == json.loads(json.dumps(conf))
    assert conf == yaml.safe_load(yaml.safe_dump(conf)), "a run folder's config.yaml reads back as it was"


@pytest.mark.parametrize(("group", "name"), COMPOSED)
def test_every_null_says_what_else_it_may_be(group, name):
    conf = config.compose(overrides_for(group, name))
    undeclared = [
        key
        for key in catalogue.keys({group: conf[group]})
        if catalogue.lookup(conf, key) is None and allowed(conf, key) is None
    ]
    assert not undeclared


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_declared_type_and_path_names_a_setting(group, name):
    content = catalogue.settings(group, name)
    traits = content["traits"]
    assert {*(traits.get("types") or {}), *(traits.get("paths") or [])} <= set(catalogue.keys(content))


@pytest.mark.parametrize("file", sorted(catalogue.conf_folder().rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_setting_has_a_comment(file):
    if file.parent.name == "sweep":
        return
    before_traits = file.read_text().split("\ntraits:")[0]
    settings = [line for line in before_traits.splitlines() if ": " in line and not line.startswith(("#", "_"))]
    assert not [line for line in settings if "#" not in line and not line.endswith(("- _self_", '"|"'))]
    assert file.read_text().startswith("# ")


def test_the_default_run():
    conf = config.compose([])
    assert {group: conf[group]["name"] for group in GROUPS} == {
        "dataset": "digits",
        "backbone": "patch",
        "loss": "bce",
        "optimizer": "adam",
        "schedule": "constant",
        "tracker": "none",
    }
    assert {key for key in catalogue.keys(conf) if key.partition(".")[0] not in GROUPS} == {
        key for key in ALLOWED if key.partition(".")[0] not in GROUPS
    }


def test_values_arrive_with_their_types():
    conf = config.compose(
        ["loss=focal", "loss.gamma=2", "epochs=3", "clip=5", "name=12", "backbone=mlp", "backbone.hidden=[64,32]"]
    )
    assert conf["loss"]["gamma"] == 2.0
    assert type(conf["loss"]["gamma"]) is float
    assert (conf["epochs"], conf["clip"], conf["name"], conf["backbone"]["hidden"]) == (3, 5.0, "12", [64, 32])
    other = ["loss.gamma=2.0", "backbone.hidden=[64,32]", "epochs=3", "clip=5.0", 'name="12"', "backbone=mlp"]
    assert conf == config.compose([*other, "loss=focal"]), "order and spelling do not matter"


def test_later_overrides_win():
    assert config.compose(["seed=1", "seed=2", "loss=bce", "loss=zlpr"])["seed"] == 2


def test_the_data_set_chooses_the_backbone_unless_the_user_does():
    features = ["dataset=arff", "dataset.train=a.arff"]
    assert config.compose(features)["backbone"]["name"] == "mlp"
    assert config.compose([*features, "backbone=linear"])["backbone"]["name"] == "linear"
    assert config.compose([*features, "backbone.hidden=[8]"])["backbone"]["hidden"] == [8]


def test_paths_and_quotes(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    conf = config.compose(["dataset=arff", 'dataset.train="~/a, b=c.arff"', "dataset.test=/data/x y.arff"])
    assert conf["dataset"]["train"] == "/home/someone/a, b=c.arff"
    assert conf["dataset"]["test"] == "/data/x y.arff"


def test_identity_leaves_out_places_paths_and_the_tracker():
    common = ["dataset=arff", "loss=focal"]
    places = ["device=cpu", "out=/a", "cache=/b", "tracker=tensorboard", "tracker.dir=/c"]
    here = config.compose([*common, "dataset.train=/a/x.arff", *places])
    there = config.compose([*common, "dataset.train=/c/x.arff", "device=cuda"])
    assert config.identity(here) == config.identity(there)
    other = config.compose([*common, "dataset.train=/a/x.arff", "loss.gamma=3"])
    assert config.identity(here) != config.identity(other)
    images = ["dataset=images", "dataset.root=/a", "dataset.train=/a/x.csv"]
    ways = [config.identity(config.compose([*images, f"dataset.cache={way}"])) for way in ("memory", "disk", "none")]
    assert ways[0] == ways[1] == ways[2]
    got = [
        config.identity(config.compose(["dataset=voc", "dataset.root=/a", *more]))
        for more in ([], ["dataset.download=true"])
    ]
    assert got[0] == got[1]
    assert "traits" not in config.identity(here)["loss"]
    assert "tracker" not in config.identity(here)
    assert "traits" in here["loss"], "the config itself stays as it is"


def test_flat_holds_scalars_only():
    flat = config.flat(config.compose(["loss=focal", "backbone=mlp"]))
    assert flat["loss"] == "focal"
    assert flat["loss.gamma"] == 2.0
    assert flat["backbone.hidden"] == "[512]"
    assert flat["split.val"] == 0.15
    assert not [key for key, value in flat.items() if isinstance(value, list | dict)]
    assert not [key for key in flat if "traits" in key or "_target_" in key or key.endswith(".name")]


@pytest.fixture
def own(tmp_path) -> Path:
    """A user's folder: a loss of their own, one that inherits, one that shadows ours."""
    folder = tmp_path / "conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("_target_: my_losses.mine\nscale: 1.5\nwidth: null\n")
    (folder / "hard_focal.yaml").write_text("defaults: [focal, _self_]\ngamma: 5.0\n")
    (folder / "zlpr.yaml").write_text("_target_: my_losses.zlpr\nmargin: 0.5\n")
    return folder.parent


def test_the_users_folder_adds_inherits_and_shadows(own):
    assert config.compose(["loss=mine", "loss.scale=3"], own)["loss"]["scale"] == 3.0
    hard = config.compose(["loss=hard_focal"], own)["loss"]
    assert (hard["gamma"], hard["_target_"], hard["traits"]["shape"]) == (5.0, "mllc.losses.focal", "element")
    assert config.compose(["loss=zlpr"], own)["loss"]["margin"] == 0.5
    assert "margin" not in config.compose(["loss=zlpr"])["loss"], "and the folder is forgotten afterwards"


def test_glob_sees_the_users_folder(own):
    names = [conf["loss"]["name"] for conf in config.expand(["loss=glob(*)"], own)]
    assert names == sorted({*catalogue.choices("loss"), "mine", "hard_focal"})


def test_a_null_without_a_declaration_takes_anything(own):
    values = [conf["loss"]["width"] for conf in config.expand(["loss=mine", "loss.width=2,x,[1,2],null"], own)]
    assert values == [2, "x", [1, 2], None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1", r"loss/broken.yaml, line 1 is not YAML: expected ',' or '\]'"),
        ("gamma: 2.0", r"loss/broken.yaml: it needs a line `_target_"),
        ("", r"loss/broken.yaml holds no settings; expected lines such as"),
        (
            "defaults: [focl]\n_target_: x",
            r"loss/broken.yaml: loss 'focl' is not in conf/loss .*; did you mean 'focal'\?",
        ),
        ("_target_: x\na: ${nope}", r"cannot be resolved: .*nope"),
        (
            "_target_: x\nk: 0",
            r"loss/broken.yaml: loss.k=0 is not allowed: it must be a whole number >= 1 or null",
        ),
        ("_target_: x\na: ???", r"loss=broken needs loss.a: type loss.a="),
    ],
)
def test_a_broken_yaml_is_named(own, content, message):
    (own / "loss" / "broken.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        config.compose(["loss=broken"], own)
    assert "conf/loss/broken.yaml" not in str(caught.value).replace(str(own), ""), "the user's path, not ours"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs: 6", "epoch: 6"), r"'epochs' is missing"),
        (("seed: 0", "seed: 0\nsead: 1"), r"'sead' is not a setting; did you mean 'seed'\?"),
        (
            ("epochs: 6", "epochs: six"),
            r"^/.*/config.yaml: epochs=six is not allowed: it must be a whole number >= 1",
        ),
    ],
)
def test_the_schema_of_the_top_level(tmp_path, change, message):
    text = (catalogue.conf_folder() / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace(*change))
    with pytest.raises(ConfigError, match=message):
        config.compose([], tmp_path)


def test_defaults_of_the_catalogue_are_hydras():
    conf = config.compose([])
    assert {group: conf[group]["name"] for group in GROUPS} == catalogue.defaults()


def test_a_yaml_that_has_a_name_of_its_own_lets_it_be_set():
    plain = config.compose(["dataset=synthetic", "backbone=mlp"])
    named = config.compose(["backbone=torchvision", "backbone.name=convnext_tiny"])
    assert plain["backbone"]["name"] == "mlp"
    assert named["backbone"]["name"] == "convnext_tiny"
    assert catalogue.choice(named["backbone"]) == "torchvision"
    assert config.flat(named)["backbone"] == "convnext_tiny"
    both = config.expand(["backbone=torchvision", "backbone.name=swin_t,resnet18", "backbone.freeze=2,layer3"])
    assert [(conf["backbone"]["name"], conf["backbone"]["freeze"]) for conf in both] == [
        ("swin_t", 2),
        ("swin_t", "layer3"),
        ("resnet18", 2),
        ("resnet18", "layer3"),
    ]


@pytest.mark.parametrize("words", [[], ["dataset=arff", "dataset.train=a.arff", "dataset.num_labels=3"]])
def test_a_loss_is_put_in_place_as_hydra_would(monkeypatch, words):
    quick = config.expand(["loss=glob(*)", "seed=0,1", *words], preset=None)
    monkeypatch.setattr("mllc.config.composer.Composer._plain_loss", lambda self, name: None)
    hydras = config.expand(["loss=glob(*)", "seed=0,1", *words], preset=None)
    assert json.dumps(quick) == json.dumps(hydras)


def test_a_config_yaml_that_changes_the_loss_is_left_to_hydra(tmp_path):
    text = catalogue.config_file().read_text()
    (tmp_path / "config.yaml").write_text(text + "loss: {reduction: mean}\n")
    (conf,) = config.expand(["loss=focal"], tmp_path, preset=None)
    assert (conf["loss"]["name"], conf["loss"]["reduction"]) == ("focal", "mean")
