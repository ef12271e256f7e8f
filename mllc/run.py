"""From configs to results: trains cohorts, keeps their folders, scores them on test where it is asked for."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from mllc import checkpoint
from mllc.build import Config, Shared, build_replica
from mllc.config.compose import build, flat, identity
from mllc.device import available_bytes
from mllc.engine.arrange import remarks
from mllc.environment import environment
from mllc.evaluate import epoch_metrics
from mllc.metrics.collapse import LASTING, lasting, state
from mllc.network import num_weights
from mllc.plan import chunks, cohorts, config_key
from mllc.preflight import Sharing, free_gpu
from mllc.replica import Replica
from mllc.result import RunResult
from mllc.score import best_epoch, failed, finish
from mllc.screen import Screen
from mllc.trackers.tracker import Run
from mllc.trackers.watch import Watch
from mllc.train import EpochEnd, Step
from mllc.train import train as train_loop
from mllc.trial import Trial, repeat_of, titles, trial_of
from mllc.writer import Writer, snapshot

MOST_TRIALS = 256
"""Trials in one cohort at most: each holds a lock, and processes may open about 1000 files."""


Prune = Callable[[Config, Sequence[float]], bool]
"""Whether to give up a trial: its config, and the monitor after each epoch that it has done."""


def train(
    configs: Sequence[Config],
    *,
    score_test: bool,
    screen: Screen,
    force: bool = False,
    allow: Sequence[str] = (),
    sharing: Sharing | None = None,
    prune: Prune | None = None,
    among: Sequence[Config] = (),
    refused: str = "",
) -> list[RunResult]:
    """Trains what is not done yet, cohort by cohort; with `score_test`, scores finished runs on test, once.

    among    the cohort that the configs are a part of, where they are one: it decides how its trials are called
    refused  why nothing is to be trained: what is not done has failed
    returns  the results in the order of `configs`; a run that fails is one of status `failed`, and the others go on
    """
    sharing = sharing or Sharing(allow)
    results: dict[str, RunResult] = {}
    for group in cohorts(configs):
        shared, full = sharing.of(group[0])
        for note in shared.data.notes:
            screen.note_once(note)
        trials = [trial_of(conf, title, shared) for conf, title in zip(group, titles(group, among), strict=True)]
        done = {} if force else complete(trials, score_test, prune)
        waiting = [trial for trial in trials if trial.run_id not in done]
        for trial in trials:
            if trial.run_id in done:
                screen.skip(trial.title, trial.folder.path)
                results[config_key(trial.config)] = done[trial.run_id]
        if refused or full:
            results |= {config_key(trial.config): _fail(trial, shared, refused or full, screen) for trial in waiting}
            continue
        for part in chunks(waiting, _most_trials(shared, [trial.config for trial in waiting])):
            options = {"score_test": score_test, "screen": screen, "force": force, "prune": prune}
            for trial, result in _halving(part, shared, **options):
                results[config_key(trial.config)] = result
    return [results[config_key(conf)] for conf in configs]


def complete(trials: Iterable[Trial], score_test: bool, prune: Prune | None) -> dict[str, RunResult]:
    """By their ids, the results of those for which nothing is left to do."""
    found = {trial.run_id: trial.folder.result() for trial in trials}
    return {key: result for key, result in found.items() if result and _complete(result, score_test, prune)}


def _complete(result: RunResult, score_test: bool, prune: Prune | None) -> bool:
    """Whether nothing is left to do for a run; a failed one is tried again, a pruned one where nothing is pruned."""
    if result.status == "pruned":
        return prune is not None
    return result.status == "diverged" or (result.status == "done" and (result.test is not None or not score_test))


def _most_trials(shared: Shared, configs: Sequence[Config]) -> int:
    """How many replicas fit beside each other: weights, gradients and two optimizer moments in half of what is free."""
    num_labels = len(shared.data.label_names)
    weights = max((num_weights(conf, shared.backbone, num_labels) for conf in configs), default=1)
    return min(max(1, available_bytes(shared.feed.device) // 2 // (4 * 4 * weights)), MOST_TRIALS)


def _halving(part: Sequence[Trial], shared: Shared, **options: Any) -> Iterable[tuple[Trial, RunResult]]:
    """Runs a cohort; where the GPU's memory does not hold it, halves of it, each continuing from its checkpoints."""
    try:
        return _run_cohort(part, shared, **options)
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).splitlines()[0]
    free_gpu()
    if len(part) == 1:
        message = f"out of GPU memory with one trial ({reason}); type accumulate=2 or more, or a smaller batch_size"
        return [(part[0], _fail(part[0], shared, message, options["screen"]))]
    half = -(-len(part) // 2)
    options["screen"].note(f"out of GPU memory with {len(part)} trials at once: going on with {half}")
    options["force"] = False
    return [pair for smaller in (part[:half], part[half:]) for pair in _halving(smaller, shared, **options)]


def _fail(trial: Trial, shared: Shared, message: str, screen: Screen) -> RunResult:
    screen.note(f"{trial.title} failed: {message}")
    with trial.folder.locked():
        trained = trial.folder.result()
        if trained is not None and trained.status == "done":  # only its scoring failed: the folder stays as it is
            return replace(trained, status="failed", message=message)
        return failed(trial, shared, message)


def _run_cohort(
    part: Sequence[Trial], shared: Shared, *, score_test: bool, screen: Screen, force: bool, prune: Prune | None
) -> list[tuple[Trial, RunResult]]:
    results: list[tuple[Trial, RunResult]] = []
    with ExitStack() as stack:
        for trial in part:
            stack.enter_context(trial.folder.locked())
            if force:
                trial.folder.clear()
        replicas: dict[Replica, tuple[Trial, Watch]] = {}
        trained: dict[Replica, RunResult] = {}  # in an earlier session, and still to be scored on test
        for trial in part:
            result = trial.folder.result()
            if result is not None and _complete(result, score_test, prune):
                results.append((trial, result))
                continue
            replica = build_replica(trial.config, trial.title, shared)
            tracker = trial.config["tracker"]
            watch = Watch(tracker["name"], build(tracker | {"_partial_": True}, allow=shared.allow), screen.note_once)
            replicas[replica] = trial, watch
            if result is not None and result.status == "done":
                trained[replica] = result
            else:
                trial.folder.save_setup(trial.config, environment(shared.feed.device, shared.feed.amp))
                _resume(replica, trial, screen)
            stack.callback(watch.end, None)  # unless it has ended with its result
            epochs = trained[replica].epochs if replica in trained else replica.epoch
            watch.begin(Run(trial.folder.path, flat(identity(trial.config)), epochs))
        fresh = [replica for replica in replicas if replica not in trained]
        if fresh:
            _train(fresh, replicas, shared, screen, prune)
        for replica, (trial, watch) in replicas.items():
            result = finish(replica, trial, shared, trained.get(replica), score_test)
            watch.end(result)
            results.append((trial, result))
    return results


def _resume(replica: Replica, trial: Trial, screen: Screen) -> None:
    found = trial.folder.load_tensors(
        "resume", say=lambda text: screen.note(f"{trial.title}: {text}: starting over at epoch 1")
    )
    if found is not None:
        checkpoint.restore(replica, *found)
        screen.note(f"{trial.title}: continuing after epoch {replica.epoch}")


def _train(
    replicas: Sequence[Replica],
    trials: dict[Replica, tuple[Trial, Watch]],
    shared: Shared,
    screen: Screen,
    prune: Prune | None,
) -> None:
    conf = trials[replicas[0]][0].config
    screen.cohort([r.name for r in replicas], conf["epochs"], repeat_of(conf))
    for replica in replicas:
        replica.pruned = _pruned(replica, trials[replica][0], prune)
    engine = conf["engine"]
    for remark in remarks(replicas, shared.feed, engine, conf["compile"]):
        screen.note_once(remark)
    with Writer() as writer:
        for event in train_loop(
            replicas, shared.feed, epochs=conf["epochs"], measure=epoch_metrics, engine=engine, launch=conf["compile"]
        ):
            match event:
                case Step(epoch, step, steps):
                    screen.step(epoch + 1, step, steps)
                case EpochEnd(replica):
                    trial, watch = trials[replica]
                    _warn(replica, trial, shared, screen)
                    if not replica.failure:
                        _keep(replica, trial, writer)
                        screen.epoch(replica.name, replica.epoch, replica.history[-1])
                        watch.epoch(replica.history[-1])
                    replica.pruned = _pruned(replica, trial, prune)


def _pruned(replica: Replica, trial: Trial, prune: Prune | None) -> bool:
    """Whether a trial that has begun, and could go on, is given up."""
    if prune is None or replica.diverged or replica.failure or not 0 < replica.epoch < trial.config["epochs"]:
        return False
    return prune(trial.config, [row[trial.config["monitor"]] for row in replica.history])


def _keep(replica: Replica, trial: Trial, writer: Writer) -> None:
    """Has written what the end of an epoch leaves: the best weights first, then the state that refers to them."""
    tensors, about = checkpoint.state_of(replica)
    copied, history = snapshot(tensors), list(replica.history)
    best = best_epoch(history, trial.config["monitor"]) == replica.epoch

    def write() -> None:
        state = copied()
        if best:
            trial.folder.save_tensors("checkpoint", checkpoint.weights_in(state), {"epoch": len(history)})
        trial.folder.save_history(history)
        trial.folder.save_tensors("resume", state, about | {"history": history})

    writer.do(write)


def _warn(replica: Replica, trial: Trial, shared: Shared, screen: Screen) -> None:
    """Says it when a trial diverges, when it has been silent or flooding for two epochs, and when it no longer is."""
    name = f"{repeat_of(trial.config)}: {replica.name}"
    if replica.failure:
        screen.note(f"{name} failed: {replica.failure}")
        return
    if replica.diverged:
        screen.note(f"{name} diverged in epoch {replica.epoch}: its loss or its scores are not finite")
        return
    predicted = [row["val_labels_per_sample"] for row in replica.history]
    states = [state(labels, shared.true_labels_per_sample) for labels in predicted]
    was, now = lasting(states[:-1]), lasting(states)
    if now and now != was:
        screen.note(
            f"{name} is {now}: by its own rule it predicts {predicted[-1]:.3g} labels a sample "
            f"where {shared.true_labels_per_sample:.3g} are true"
        )
    elif was != now:
        screen.note(f"{name} is no longer {was} since epoch {replica.epoch - LASTING + 1}")
