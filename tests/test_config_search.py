"""What a tuned sweep searches: every YAML's ranges, what overrides make of them, and what is refused."""

import math

import pytest

from mllc.config import catalogue
from mllc.config import compose as config
from mllc.config.checks import allowed
from mllc.config.composer import composer
from mllc.config.ranges import interval
from mllc.config.search import expand_tuned
from mllc.errors import ConfigError
from mllc.study import Range


def expanded(*overrides, config_dir=None, preset=None, by=("loss",)):
    return expand_tuned(["tune.trials=5", *overrides], config_dir, preset, by)


def only(*overrides, **options):
    """The one search that the overrides ask for."""
    _, (search,), _ = expanded(*overrides, **options)
    return search


@pytest.fixture(scope="module")
def searches():
    """Loss or optimizer -> what a row of it searches."""
    _, losses, _ = expanded("loss=glob(*)")
    _, optimizers, _ = expanded("optimizer=glob(*)", by=["optimizer"])
    return {f"loss={search.start['loss']['name']}": search for search in losses} | {
        f"optimizer={search.start['optimizer']['name']}": search for search in optimizers
    }


@pytest.fixture(scope="module")
def composed(searches):
    """Loss or optimizer -> the configs of its seed 1000, and of both ends of what its row searches with seed 7."""
    with composer(None) as hydra:
        return {
            row: [
                hydra.compose((row, "seed=1000")),
                *(hydra.compose((row, *(f"{key}={value}" for key, value in end), "seed=7")) for end in ends_of(search)),
            ]
            for row, search in searches.items()
        }


def ends_of(search):
    """The lowest and the highest value of each searched setting, as one would type it."""
    space = search.space.items()
    return [[(key, Range(choices=(one.ends[end],))) for key, one in space] for end in (0, 1)]


ROWS = [f"loss={name}" for name in catalogue.choices("loss")]
ROWS += [f"optimizer={name}" for name in catalogue.choices("optimizer")]


def test_every_yaml_is_found(searches):
    assert list(searches) == ROWS
    assert len(ROWS) >= 45


@pytest.mark.parametrize("row", ROWS)
class TestEveryYaml:
    def test_both_ends_of_what_it_declares_are_the_config_that_one_would_type(self, searches, composed, row):
        for end in (0, 1):
            values = {key: one.ends[end] for key, one in searches[row].space.items()}
            assert searches[row].at(values, seed=7) == composed[row][1 + end]

    def test_the_first_trial_is_the_yaml_as_it_stands(self, searches, composed, row):
        search = searches[row]
        assert search.first.keys() == search.space.keys()
        assert search.at(search.first) == search.start == composed[row][0]

    def test_learning_rate_and_weight_decay_are_always_searched(self, searches, row):
        space = searches[row].space
        assert list(space)[:2] == ["optimizer.lr", "optimizer.weight_decay"]
        assert space["optimizer.lr"].log
        low, high = space["optimizer.lr"].ends
        assert low * 3 <= searches[row].first["optimizer.lr"] <= high / 3, "room on either side of what is usual"

    def test_a_wider_range_is_allowed_and_wider(self, searches, row):
        search = searches[row]
        for key, one in search.space.items():
            may_be = allowed(search.start, key)
            for end, outer in (("low", one.below), ("high", one.above)):
                if outer is not None:
                    wider = one.wider({end})
                    if one.choices:
                        assert search.at({key: outer}, seed=0)
                        assert set(wider.choices) == {*one.choices, outer}
                    else:
                        assert wider.high - wider.low > one.high - one.low
                        assert interval(*wider.ends, may_be, wider.log).ends == wider.ends


def test_ranges_end_where_settings_do():
    space = only("loss=asymmetric", "loss.margin=interval(0,0.9)").space
    assert (space["loss.margin"].below, space["loss.margin"].above) == (None, 1.0)
    assert (space["loss.gamma_neg"].below, space["loss.gamma_neg"].above) == (0.0, 8.5)
    assert (space["optimizer.lr"].below, space["optimizer.lr"].above) == (1e-5, 0.3)
    assert space["optimizer.weight_decay"].below is None, "less is as good as none"
    space = only("loss=distribution_balanced", "loss.kappa=interval(0.1,0.9)").space
    assert space["loss.kappa"].below == 0.0
    space = only("optimizer=sgd", "optimizer.momentum=interval(0.5,0.9)").space
    assert space["optimizer.momentum"].above == 0.95, "half the way to 1, which itself is not allowed"


def test_one_value_takes_a_setting_out():
    search = only("loss=focal", "loss.gamma=3", "optimizer.weight_decay=0")
    assert search.space.keys() == {"optimizer.lr", "loss.alpha"}
    assert search.start["loss"]["gamma"] == 3.0
    assert search.at({"optimizer.lr": 0.5, "loss.alpha": 0.2}, 3)["optimizer"]["lr"] == 0.5


@pytest.mark.parametrize(
    ("typed", "below", "above"),
    [
        ("optimizer.lr=0.001,0.01,0.1", 1e-4, 1.0),
        ("optimizer.lr=0.1,0.01,0.001", 1e-4, 1.0),
        ("optimizer.lr=0.01,0.02", 0.005, 0.04),  # by ratio, as the YAML's own range is on a log scale
        ("loss.gamma=0,1,2", None, 3.0),
        ("loss.gamma=1,2", 0.0, 3.0),
        ("loss.gamma=0.5,1,5", 0.25, 25.0),
        ("loss.alpha=null,0.25,0.75", 0.0, 1.0),
        ("loss.alpha=null,0.25", None, None),
        ("loss.k=1,2,4", None, 6),
        ("optimizer.amsgrad=true,false", None, None),
    ],
)
def test_beyond_the_numbers_of_a_list(typed, below, above):
    one = only("loss=focal", typed).space[typed.partition("=")[0]]
    assert (one.below, one.above) == (below, above)
    assert type(one.above) is type(above)


def test_several_values_are_choices_unless_they_are_compared():
    search = only("loss=focal", "loss.gamma=1,2,1.0", "optimizer.momentum=0,0.9", "optimizer=sgd")
    assert search.space["loss.gamma"].choices == (1.0, 2.0)
    assert search.space["optimizer.momentum"].choices == (0.0, 0.9)
    assert list(search.space)[:2] == ["optimizer.lr", "optimizer.weight_decay"]
    _, compared, _ = expanded("loss=focal", "loss.gamma=1,2", by=("loss", "loss.gamma"))
    assert [search.start["loss"]["gamma"] for search in compared] == [1.0, 2.0]
    assert all("loss.gamma" not in search.space for search in compared)


def test_what_is_compared_is_not_searched():
    search = only("loss=focal", by=("loss", "loss.gamma"))
    assert search.space.keys() == {"optimizer.lr", "optimizer.weight_decay", "loss.alpha"}
    assert search.start["loss"]["gamma"] == 2.0


def test_an_interval_replaces_what_is_declared_and_keeps_its_scale():
    space = only(
        "loss=focal", "optimizer.lr=interval(0.001,0.1)", "loss.gamma=interval(1,2)", "clip=interval(1,5)"
    ).space
    assert (space["optimizer.lr"].ends, space["optimizer.lr"].log) == ((0.001, 0.1), True)
    assert (space["loss.gamma"].ends, space["loss.gamma"].log) == ((1.0, 2.0), False)
    assert (space["clip"].ends, space["clip"].log) == ((1.0, 5.0), False), (
        "what no YAML declares, and is null by default"
    )
    assert only("loss=focal", "clip=tag(log,interval(1,5))").space["clip"].log


def test_the_yamls_own_value_counts_only_within_a_range_that_was_typed():
    assert only("optimizer.lr=interval(0.01,0.1)").first == {"optimizer.weight_decay": 0.0}
    assert only("optimizer.lr=0.0001,0.001").first == {"optimizer.weight_decay": 0.0, "optimizer.lr": 0.001}


def test_space_optimizer_leaves_the_loss_alone():
    assert only("loss=focal", "tune.space=optimizer").space.keys() == {"optimizer.lr", "optimizer.weight_decay"}
    assert "loss.gamma" in only("loss=focal", "tune.space=optimizer", "loss.gamma=1,2").space


def test_every_row_of_a_grid_is_searched():
    _, found, _ = expanded(
        "loss=bce,zlpr,bce", "optimizer=adam,sgd", "clip=null,1", "seed=0,1,1", by=("loss", "optimizer")
    )
    rows = [(one.start["loss"]["name"], one.start["optimizer"]["name"], one.start["clip"]) for one in found]
    assert rows == [(a, b, c) for a in ("bce", "zlpr") for b in ("adam", "sgd") for c in (None, 1.0)]
    assert {one.seeds for one in found} == {(0, 1)}
    assert {one.trials for one in found} == {5}
    assert {one.start["seed"] for one in found} == {1000}


def test_no_more_trials_than_settings():
    fixed = ("optimizer.lr=0.1", "optimizer.weight_decay=0")
    assert only("loss=soft_f1", *fixed).trials == 2
    assert only("loss=class_balanced", *fixed, "loss.gamma=1,2", "loss.normalize=true", "tune.trials=100").trials == 8
    assert only("loss=class_balanced", *fixed, "tune.trials=100").trials == 100
    assert math.isinf(only("loss=bce").space["optimizer.lr"].size)


def test_a_row_with_nothing_to_search_is_trained_as_it_stands():
    _, searches, fixed = expanded("loss=bce,focal", "optimizer.lr=0.1", "optimizer.weight_decay=0", "seed=3,4")
    assert [search.start["loss"]["name"] for search in searches] == ["focal"]
    plain = ["loss=bce", "optimizer.lr=0.1", "optimizer.weight_decay=0"]
    assert fixed == [config.compose([*plain, f"seed={seed}"]) for seed in (3, 4)]


def test_presets():
    tune, searches, fixed = expanded(preset="standard")
    assert (tune.trials, tune.sampler, tune.pruning) == (5, "tpe", "none")
    assert {search.start["loss"]["name"] for search in searches} == STANDARD
    assert all(not search.space["optimizer.lr"].choices for search in searches), "rates are for the grid"
    assert {(conf["name"], conf["seed"]) for conf in fixed} == {
        (name, seed) for name in ("untuned", "prior_bias") for seed in range(3)
    }
    assert {search.seeds for search in searches} == {(0, 1, 2)}
    _, demo, _ = expanded("sweep=demo", "seed=5", "loss=zlpr")
    assert demo[0].space["optimizer.lr"].choices == (0.3, 0.6), "values of a preset's grid are choices, as if typed"
    assert demo[0].seeds == (5,)


def test_the_rows_of_a_preset_do_not_stand_in_the_way_of_the_losses_that_one_names():
    _, (search,), fixed = expanded("loss=focal", "loss.gamma=3", preset="standard")
    assert (search.start["loss"]["gamma"], search.start["optimizer"]["name"], fixed) == (3.0, "sgd", [])
    _, _, fixed = expanded("loss=bce", preset="standard")
    assert {conf["name"] for conf in fixed} == {"untuned", "prior_bias"}


def test_without_trials_it_is_an_ordinary_sweep():
    overrides = ["loss=bce", "optimizer.lr=0.1,0.2"]
    for more in ([], ["tune.trials=0"]):
        tune, searches, configs = expand_tuned([*overrides, *more])
        assert (tune.trials, searches, configs) == (0, [], config.expand(overrides))


STANDARD = {"bce", "weighted_bce", "focal", "asymmetric", "zlpr", "softmax_ce", "softmax_count", "abs_kl"}

REFUSED = {
    "tune.trails=3": r"'tune.trails' is not a setting; did you mean 'tune.trials'\? Known: tune.trials, tune.seed",
    "tune=3": r"tune=3 sets none of tune.trials, .*: type tune.trials=20",
    "tune.trials=-1": r"tune.trials=-1 is not allowed: type a whole number >= 0",
    "tune.trials=2.5": r"tune.trials=2.5 is not allowed: type a whole number",
    "tune.trials=1000000": r"type a whole number >= 0 and <= 10000",
    "tune.trials=5,10": r"tune.trials=5,10: type one value; every row of a sweep is searched alike",
    "tune.at_once=0": r"type a whole number >= 1",
    "tune.sampler=grid": r"type tpe, random or sobol",
    "tune.pruning=medain": r"type none or median; did you mean 'median'\?",
    "tune.seed=1": r"seed=1 is the seed of the search, .*: leave it out of the sweep's own, or type another tune",
    "optimizer.lr=interval(1,0.1)": r"optimizer.lr=interval\(1,0.1\) is not allowed: type the lower end first",
    "optimizer.lr=interval(0.1,0.1)": r"type the lower end first",
    "optimizer.lr=interval(-1,1)": r"type a number > 0",
    "optimizer.weight_decay=interval(0,1)": r"type a lower end above 0, for the scale is a log one",
    "optimizer.lr=interval(0.1)": r"cannot be read; several .* is 'optimizer.lr=interval\(0.001,0.1\)' or",
    "optimizer.lr=interval(a,b)": r"cannot be read; several values are optimizer.lr=a,b,c or",
    "optimizer.lr=tag(lg,interval(0.1,1))": r"an interval's only tag is log",
    "loss=large_loss loss.variant=interval(0,1)": r"type reject or correct",
    "loss=asymmetric loss.detach_focal=interval(0,1)": r"type true or false",
    "loss=focal loss.gamma=1,-2": r"loss.gamma=-2 is not allowed: type a number >= 0.\nin the trial loss=focal",
    "loss=bce,focal loss.gamma=1,2": r"loss=bce has no setting 'gamma'.*\nin the trial loss=bce .*\n.*sweep of its own",
    "loss=bce,focal loss.gamma=interval(1,2)": r"loss=bce has no setting 'gamma'",
    "loss.name=bce,focal": r"no setting 'name'",
    "epochs=interval(1,3)": r"epochs is what the rows of a comparison share; an interval may search .* loss, optimizer",
    "backbone.dropout=interval(0,0.5)": r"what the rows of a comparison share",
    "seed=interval(1,3)": r"seed=interval\(1,3\): an interval has no list of values",
    "loss=interval(1,3)": r"an interval has no list of values",
    "optimizer.lr=0.1 optimizer.weight_decay=0": r"nothing is left to search; leave out optimizer.lr, ",
    "optimizer=sgd optimizer.nesterov=true optimizer.momentum=interval(0,0.9)": r"nesterov=true needs .*momentum > 0",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_refused(overrides):
    with pytest.raises(ConfigError, match=REFUSED[overrides]):
        expanded("loss=bce", "seed=0,1", *overrides.split())


def test_a_compared_interval_is_refused():
    with pytest.raises(ConfigError, match="an interval has no list of values"):
        expanded("loss=focal", "loss.gamma=interval(1,2)", by=("loss", "loss.gamma"))


def test_how_to_search_without_how_long():
    with pytest.raises(ConfigError, match=r"tune.sampler=sobol says how to search, .*: type tune.trials=20"):
        expand_tuned(["tune.sampler=sobol"])
    with pytest.raises(ConfigError, match=r"or search it: tune\.trials=20"):
        expand_tuned(["loss=bce", "optimizer.lr=interval(0.1,1)"])


def test_one_run_has_no_search():
    with pytest.raises(ConfigError, match=r"tune.trials=5 asks for several runs.*: use mllc sweep tune.trials=5"):
        config.compose(["loss=focal", "tune.trials=5"])


WRONG_YAMLS = {
    "search: 5": "settings with their ranges",
    "search: [gamma]": "settings with their ranges",
    "search: {gama: {low: 1, high: 2}}": "of settings that the YAML has, which 'gama' is not",
    "search: {gamma: 3}": "for 'gamma' low and high .* or choices",
    "search: {gamma: {low: 1}}": "for 'gamma' low and high",
    "search: {gamma: {low: 1, high: 2, scale: log}}": "for 'gamma' low and high",
    "search: {gamma: {low: 1, high: 2, log: 1}}": "for 'gamma' low and high",
    "search: {gamma: {low: 2, high: 1}}": "for 'gamma' the lower end first",
    "search: {gamma: {low: 0, high: 1, log: true}}": "for 'gamma' a lower end above 0",
    "search: {gamma: {low: -1, high: 1}}": "for 'gamma' a number >= 0",
    "search: {gamma: {low: a, high: b}}": "for 'gamma' a number >= 0",
    "search: {word: {low: a, high: b}}": "for 'word' numbers for the ends of an interval",
    "search: {gamma: {choices: []}}": "for 'gamma' low and high",
    "search: {gamma: {choices: 3}}": "for 'gamma' low and high",
    "search: {gamma: {choices: [1, -1]}}": "for 'gamma' a number >= 0",
}


@pytest.mark.parametrize("search", WRONG_YAMLS)
def test_a_users_yaml_with_a_wrong_range_is_named(tmp_path, search):
    (tmp_path / "loss").mkdir()
    text = f"_target_: mllc.losses.focal\ngamma: 2.0\nword: x\ntraits:\n  types: {{gamma: number >= 0}}\n  {search}\n"
    (tmp_path / "loss/mine.yaml").write_text(text)
    with pytest.raises(
        ConfigError, match=f"loss/mine.yaml: traits.search: .* is not allowed: it must be .*{WRONG_YAMLS[search]}"
    ):
        expanded("loss=mine", config_dir=tmp_path)


def test_a_users_yaml(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss/mine.yaml").write_text(
        "defaults: [focal]\nmercy: 1\ntraits:\n  search: {mercy: {low: 1, high: 3}}\n"
    )
    search = only("loss=mine", config_dir=tmp_path)
    assert search.space["loss.mercy"].ends == (1, 3)
    assert search.space["loss.mercy"].size == 3, "whole numbers, as its default is one"
    assert search.at({"loss.mercy": 2})["loss"]["mercy"] == 2
