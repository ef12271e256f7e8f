"""train, sweep, check: the commands that take overrides."""

from typing import Any

import typer

from mllc import interrupt
from mllc.cli import options as opt
from mllc.cli.terminal import on_terminal, say, width
from mllc.errors import ConfigError
from mllc.wording import counted


def train(
    overrides: opt.Overrides = None,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
    force: opt.Force = False,
) -> None:
    """Train one model and score it on test.

    mllc train loss=focal optimizer.lr=0.01
    """
    from mllc.config.compose import compose

    conf = compose(overrides or [], config_dir)
    allow = opt.importable(allow_target, config_dir)

    _announce([conf])
    from mllc import run
    from mllc.report import run_table
    from mllc.screen import Screen
    from mllc.store import RunFolder

    interrupt.unwind()
    with Screen(total_trials=1, monitor=conf["monitor"]) as screen:
        (result,) = run.train([conf], score_test=True, screen=screen, force=force, allow=allow)
    folder = RunFolder.of(conf, result.run_id)
    typer.echo(run_table(result, width(), color=on_terminal()))
    typer.echo(f"run folder: {folder.path}")
    _exit_if_failed([result])


def sweep(
    overrides: opt.Overrides = None,
    by: opt.By = "loss",
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
    force: opt.Force = False,
) -> None:
    """Train every combination and compare.

    mllc sweep loss=bce,focal optimizer.lr=0.001,0.01 'seed=range(3)'

    Settings are chosen on validation, and only those are scored on test. Without a list of values it is the standard
    comparison; sweep=NAME names another (mllc list sweeps). With tune.trials=20 each row's settings are searched, in 20
    trials on validation, and the best are repeated with each seed (tune.*: conf/tune.yaml). A long sweep is trained by
    several processes at once; workers=1 keeps it to one, workers=N makes it N.
    """
    from mllc import forkserver
    from mllc.config.search import expand_tuned

    tune, searches, configs = expand_tuned(overrides or [], config_dir, by=[key.strip() for key in by.split(",")])
    starts = [search.start for search in searches]
    _check_by(by, [*starts, *configs])
    allow = opt.importable(allow_target, config_dir)

    trials = sum(search.trials + len(search.seeds) for search in searches) + len(configs)
    _announce([*starts, *configs], trials)
    forkserver.start_early([*starts, *configs][0], trials)
    from mllc.report import render
    from mllc.screen import Screen

    interrupt.unwind()
    with Screen(total_trials=trials, monitor=[*starts, *configs][0]["monitor"]) as screen:
        if searches:
            from mllc import tune as tuned

            results, studies = tuned.sweep(searches, configs, tune, by=by, screen=screen, force=force, allow=allow)
        else:
            from mllc import sweep as plain

            results, studies = plain.sweep(configs, by=by, screen=screen, force=force, allow=allow), []
    typer.echo(render(results, studies=studies, by=by, width=width(), color=on_terminal()), nl=False)
    _exit_if_failed(results)


def check(overrides: opt.Overrides = None, config_dir: opt.ConfigDir = None, allow_target: opt.Allow = None) -> None:
    """Build all and run one batch, without training.

    A sweep's overrides are welcome: each trial gets its batch. With tune.trials=20 it says what would be searched.
    """
    from mllc.config.search import expand_tuned
    from mllc.plan import row_name

    _, searches, configs = expand_tuned(overrides or [], config_dir, preset=None)
    configs = [*(search.start for search in searches), *configs]
    allow = opt.importable(allow_target, config_dir)

    from mllc import preflight

    interrupt.unwind()
    for line in preflight.check(configs, allow=allow):
        typer.echo(line)
    typer.echo(f"{counted(len(configs), 'trial')} ready to run")
    for search in searches:
        space = " ".join(f"{key}={one}" for key, one in search.space.items())
        typer.echo(f"{row_name(search.start)}: {counted(search.trials, 'trial')} in {space}")


def _announce(configs: list[dict[str, Any]], count: int = 1) -> None:
    """The first line: importing torch and reading the data take seconds."""
    dataset, backbone, loss = (
        ", ".join(dict.fromkeys(conf[group]["name"] for conf in configs)) for group in ("dataset", "backbone", "loss")
    )
    trials = f" ({counted(count, 'trial')})" if count > 1 else ""
    say(f"loading data set {dataset}, backbone {backbone}, loss {loss}{trials}")


def _check_by(by: str, configs: list[dict[str, Any]]) -> None:
    """Refuses a grouping before hours of training, not after."""
    from mllc.config.compose import flat, identity
    from mllc.report.selection import FIELDS
    from mllc.suggest import did_you_mean

    known = {*FIELDS, *(key for conf in configs for key in flat(identity(conf)))}
    for key in by.split(","):
        if key.strip() not in known:
            hint = f"{did_you_mean(key.strip(), known)} Known: {', '.join(sorted(known))}"
            raise ConfigError(f"--by {by}: '{key}' is not a setting of these runs{hint}")


def _exit_if_failed(results: list[Any]) -> None:
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        say(f"failed: {result.name}, seed {result.seed} ({result.run_id}): {result.message}")
    if failed:
        raise typer.Exit(1)
