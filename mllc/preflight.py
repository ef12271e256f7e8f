"""Before training: what a sweep refers to is there, one batch goes through, and the GPU is not full already."""

import gc
import math
from collections.abc import Iterator, Sequence

import torch

from mllc.build import Config, Shared, build_replica, check_first, objective_of, share
from mllc.config.compose import build
from mllc.engine.sequential import forward, train_step
from mllc.errors import ConfigError
from mllc.feed import Batch, Feed
from mllc.plan import cohorts, config_key, shared_part
from mllc.replica import Replica, failing
from mllc.trial import repeat_of, titles
from mllc.wording import counted


def validate(configs: Sequence[Config], allow: Sequence[str]) -> None:
    """Reads every data set and builds every backbone and objective, so that no typo is found after hours of training.

    Where the configs have but one of each, training finds it at once, and nothing is done here.
    """
    kinds: dict[str, list[Config]] = {}
    for conf in configs:
        kind = {key: conf[key] for key in ("dataset", "backbone", "split", "device", "amp", "monitor")}
        kind["split"] = conf["split"] | {"fold": None}
        kinds.setdefault(config_key(kind), []).append(conf)
    for group in kinds.values() if len(kinds) > 1 else ():
        check_first(group[0], allow)
    for group in reversed(kinds.values()) if len(kinds) > 1 else ():  # the first one last: its data set stays loaded
        shared, _ = share_or_say_why(group[0], allow)
        for conf in group:
            objective_of(conf, shared)
        del shared


class Sharing:
    """What the trials of a cohort share; the last cohort's is kept for the next call on the same one."""

    def __init__(self, allow: Sequence[str]) -> None:
        self.allow = allow
        self._key = ""
        self._found: tuple[Shared, str] | None = None

    def of(self, conf: Config) -> tuple[Shared, str]:
        """See `share_or_say_why`."""
        key = config_key(shared_part(conf))
        if self._found is None or key != self._key:
            self._found = None  # lets the last cohort's features go before the next one's are made
            self._key, self._found = key, share_or_say_why(conf, self.allow)
        return self._found


def share_or_say_why(conf: Config, allow: Sequence[str]) -> tuple[Shared, str]:
    """What a cohort shares; where the GPU does not hold it, the same on the CPU, and the reason: its trials fail."""
    try:
        return share(conf, tuple(allow)), ""
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).splitlines()[0]
    free_gpu()
    message = f"the GPU has no memory left for the frozen backbone ({reason}); free it, or type device=cpu"
    return share(conf | {"device": "cpu", "amp": "off"}, tuple(allow)), message


def free_gpu() -> None:
    """Hands back what nothing refers to any more."""
    gc.collect()
    torch.cuda.empty_cache()


def check(configs: Sequence[Config], *, allow: Sequence[str] = ()) -> Iterator[str]:
    """Builds everything and runs one batch of each trial through step and rule; writes nothing; yields lines."""
    for group in cohorts(configs):
        build(group[0]["tracker"], allow=allow)
        shared, full = share_or_say_why(group[0], allow)
        if full:
            raise ConfigError(full)
        shared.feed.keep_bytes = 0
        sizes = ", ".join(f"{len(shared.data.split(name))} {name}" for name in ("train", "val", "test"))
        labels = counted(len(shared.data.label_names), "label")
        pixels = " x ".join(map(str, shared.data.input_shape[1:]))
        shape = f" of {pixels} pixels" if pixels else ""
        yield (
            f"{repeat_of(group[0])}: {sizes} samples{shape}, {labels}, "
            f"{shared.statistics.mean_cardinality:.2f} true a sample"
        )
        yield from (f"  {note}" for note in shared.data.notes)
        batch = next(shared.feed.epoch(0))
        for conf, title in zip(group, titles(group), strict=True):
            weights, loss = _try(build_replica(conf, title, shared), batch, shared.feed)
            told = f"loss of the first batch {loss:.4g}{_unless_finite(loss, conf)}"
            yield f"  {title}: {weights:,} trained weights, {told}"


def _try(replica: Replica, batch: Batch, feed: Feed) -> tuple[int, float]:
    """The number of trained weights, and the loss of one step; ConfigError where the step fails."""
    loss = math.nan
    try:
        with failing(replica):
            loss = train_step(replica, batch, feed, 0, 0.0).item()
            with torch.no_grad():
                replica.objective.decide(forward(replica.model.eval(), batch, feed))
    except torch.cuda.OutOfMemoryError as error:
        replica.failure = f"{str(error).splitlines()[0]}; type accumulate=2 or more, or a smaller batch_size"
    if replica.failure:
        raise ConfigError(f"{replica.name} fails on its first batch: {replica.failure}")
    return sum(p.numel() for p in replica.model.parameters()), loss


def _unless_finite(loss: float, conf: Config) -> str:
    if math.isfinite(loss):
        return ""
    expected = (conf["loss"].get("traits") or {}).get("expected") == "diverges"
    return f": not finite, so this trial diverges{', as expected of this loss' if expected else ' in its first epoch'}"
