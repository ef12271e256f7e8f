"""Every wrong override: refused with what was given, what is allowed and what to type."""

import pytest

from mllc.config import compose as config
from mllc.errors import ConfigError

REFUSED = {
    "loss=asymetric": r"loss 'asymetric' is not in conf/loss; did you mean 'asymmetric'\? See: mllc list losses",
    "loss=xyz": r"loss 'xyz' is not in conf/loss\. See: mllc list losses",
    "loss=": r"loss '' is not in conf/loss",
    "optimizer=adamm": r"did you mean 'adam'\? See: mllc list optimizers",
    "los=focal": r"'los' is neither a group nor a setting; did you mean 'loss'\?",
    "sed=1": r"did you mean 'seed'\?",
    "lr=0.1": r"did you mean 'optimizer.lr'\?",
    "hydra.job.name=x": r"'hydra.job.name' is neither a group nor a setting",
    "loss=focal loss.gama=1": r"loss=focal has no setting 'gama'; did you mean 'gamma'\? Its settings: gamma, alpha",
    "loss.gamma=1": r"loss=bce has no setting 'gamma'; it belongs to loss=.*, focal",
    "backbone=linear backbone.wide=3": r"Its settings: none",
    "loss._target_=os.system": r"no setting '_target_'",
    "loss.traits.shape=x": r"no setting 'traits.shape'",
    "loss.name=x": r"no setting 'name'",
    "split=0.1": r"type one of split.val, split.test",
    "loss=focal loss.gamma=abc": r"loss.gamma=abc is not allowed: type a number",
    "epochs=ten": r"epochs=ten is not allowed: type a whole number >= 1",
    "epochs=0": r"epochs=0 is not allowed: type a whole number >= 1",
    "epochs=2.5": r"epochs=2.5 is not allowed",
    "epochs=true": r"epochs=true is not allowed",
    "seed=-1": r"seed=-1 is not allowed: type a whole number >= 0",
    "batch_size=1": r"batch_size=1 is not allowed: type a whole number >= 2",
    "optimizer.lr=fast": r"optimizer.lr=fast is not allowed: type a number > 0",
    "optimizer.lr=0": r"optimizer.lr=0 is not allowed",
    "optimizer.lr=nan": r"optimizer.lr=nan is not allowed",
    "optimizer.lr=inf": r"optimizer.lr=inf is not allowed",
    "optimizer.weight_decay=-1": r"type a number >= 0",
    "optimizer=sgd optimizer.momentum=1": r"type a number >= 0 and < 1",
    "optimizer=sgd optimizer.nesterov=1": r"type true or false",
    "schedule.warmup=1": r"type a number >= 0 and < 1",
    "split.val=1": r"type a number > 0 and < 1",
    "dataset=arff dataset.train=x split.val=0.9": r"split.val=0.9 and split.test=0.2 leave nothing to train on",
    "clip=0": r"type a number > 0 or null",
    "amp=on": r"type auto, off, bf16 or fp16",
    "monitor=val_mapp": r"did you mean 'val_map'\?",
    "loss.reduction=men": r"type sum or mean; did you mean 'mean'\?",
    "loss.threshold=1": r"type a number > 0 and < 1",
    "loss.k=0": r"type a whole number >= 1 or null",
    "backbone=mlp backbone.hidden=512": r"type a list \[a,b,...\], each a whole number >= 1",
    "backbone=resnet18 backbone.freeze=[1]": r"type none, all, a whole number >= 1 or text",
    "head.dropout=0.5": r"of the hidden layer: type head\.kind=mlp as well",
    "head.kind=mpl": r"type linear or mlp; did you mean 'mlp'\?",
    "backbone=torchvision": r"backbone=torchvision needs backbone.name: type backbone.name=",
    "backbone=resnet18 backbone.name=resnet50": r"backbone=resnet18 has no setting 'name'",
    "backbone=torchvision backbone.name=vit_b_16 backbone.wieghts=x": r"backbone=torchvision has no setting 'wieghts'",
    "dataset=arff": r"dataset=arff needs dataset.train: type dataset.train=",
    "dataset=arff dataset.train=null": r"dataset.train=null is not allowed: type text",
    "dataset=arff dataset.train=x backbone=vgg19": r"backbone=vgg19 takes images, but dataset=arff holds features",
    "loss=bce,focal": r"asks for several runs, but this is one: use mllc sweep loss=bce,focal; a comma .* quotes",
    "seed=range(3)": r"use mllc sweep 'seed=range\(3\)';",
    "loss=glob(*)": r"use mllc sweep 'loss=glob\(\*\)';",
    "sweep=demo": r"use mllc sweep sweep=demo",
    "focal": r"focal cannot be read: an override is key=value",
    "loss.gamma=[1": r"loss.gamma=\[1 cannot be read",
    "dataset=images dataset.root=~/x": r"cannot be read: .*goes in quotes: 'dataset.root=\"...\"'",
    "name=é": r"name=é cannot be read: .* holds other letters than a-z, .*: 'name=\"é\"'$",
    "name=a&b": r": 'name=\"a&b\"'$",
    "name=a;b": r": 'name=\"a;b\"'$",
    "out=a!b": r": 'out=\"a!b\"'$",
    "out=~/runs": r": 'out=\"~/runs\"'$",
    "": r"^'' names no setting: type key=value, such as loss=focal",
    "=3": r"^'=3' names no setting: type key=value",
    "+loss.a=1": r"only key=value is understood",
    "~loss": r"only key=value is understood",
    "loss@x=focal": r"only key=value is understood",
    "optimizer.betas=[0.9]": r"optimizer.betas=\[0.9\] is not allowed: type a list \[a,b\] of 2: a number >= 0",
    "optimizer=adamw optimizer.betas=[0.9,0.99,0.999]": r"type a list \[a,b\] of 2",
    "out=???": r"out=\?\?\?: it needs a value: type out=",
    "name=???": r"name=\?\?\?: it needs a value",
    "dataset=arff dataset.train=???": r"it needs a value: type dataset.train=",
    "loss=???": r"loss '\?\?\?' is not in conf/loss",
    "out=": r"out= is empty: type out=FOLDER",
    "name=all_zeros": r"name=all_zeros is the row of a baseline in every report; take another",
    "name=label_prior": r"name=label_prior is the row of a baseline",
    "name=" + "x" * 300: r"name=x+ has 300 letters; take another, of 100 letters at most",
    "name=${nope}": r"cannot be resolved: .*nope",
}


@pytest.mark.parametrize("given", REFUSED)
def test_refused(given):
    with pytest.raises(ConfigError, match=REFUSED[given]) as caught:
        config.compose(given.split(" "))
    text = str(caught.value)
    assert not any(word in text for word in ("antlr", "Exception", "mismatched", "To append", "hydra.cc", "Traceback"))
    assert len(text) < 400


REFUSED_SWEEPS = {
    "loss=bce,focal loss.gamma=2": r"loss=bce has no setting 'gamma'; it belongs to (.|\n)*in the trial loss=bce",
    "loss=bce,focal loss.gamma=1,2": r"in the trial loss=bce loss.gamma=1\nEach override goes to every trial: type "
    r"a sweep of its own for .* or name trials as rows of a preset, such as conf/sweep/demo.yaml",
    "seed=range(100000)": r"^seed \(over 10,000\): more than 10,000 trials; type fewer values",
    "seed=range(1000000000000)": r"more than 10,000 trials",
    "workers=1,2": r"^workers: 2 values, but with each it would be the same run; type one$",
    "seed=0,1 out=a,b": r"^out: 2 values",
    "tracker=none,tensorboard": r"^tracker: 2 values",
    "epochs=1,2 seed=range(200) batch_size=range(2,102)": r"epochs \(2\) x seed \(200\) x batch_size \(100\)",
    "optimizer.lr=0.1,fast": r"optimizer.lr=fast is not allowed(.|\n)*in the trial optimizer.lr=fast",
    "loss=bce,focl": r"did you mean 'focal'",
    "loss=glob(x*)": r"stands for no value at all",
    "epochs=glob(*)": r"stands for no value at all",
    "seed=range(0)": r"stands for no value at all",
    "seed=range(0,5,0)": r"seed=range\(0,5,0\)",
    "optimizer.lr=interval(0,1)": r"an interval has no list of values",
    "sweep=dmo": r"sweep 'dmo' is not in conf/sweep; did you mean 'demo'\? See: mllc list sweeps",
    "sweep=demo sweep=standard": r"name one preset",
    "sweep=demo dataset=arff": r"needs dataset.train",
}


@pytest.mark.parametrize("given", REFUSED_SWEEPS)
def test_refused_sweeps(given):
    with pytest.raises(ConfigError, match=REFUSED_SWEEPS[given]):
        config.expand(given.split(" "))


@pytest.mark.parametrize("given", ["loss.gamma=2", "loss=focal loss.gamma=-1"])
def test_the_only_trial_of_a_sweep_is_not_named(given):
    with pytest.raises(ConfigError) as caught:
        config.expand(given.split(" "), preset=None)
    assert "in the trial" not in str(caught.value)


def test_a_missing_config_dir(tmp_path):
    with pytest.raises(ConfigError, match=r"--config-dir .*nowhere is not a folder"):
        config.compose([], tmp_path / "nowhere")


def test_an_unknown_choice_names_the_users_folder_too(tmp_path):
    with pytest.raises(ConfigError, match=rf"is not in conf/loss or {tmp_path}/loss"):
        config.compose(["loss=focl"], tmp_path)
