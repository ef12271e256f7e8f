"""A sweep without a search: all combinations trained, the settings of each group selected, those scored on test."""

import json
from collections.abc import Sequence

from mllc.build import Config
from mllc.config.compose import flat, identity
from mllc.pack import Crew
from mllc.plan import row_name
from mllc.preflight import validate
from mllc.report.selection import select
from mllc.result import RunResult
from mllc.screen import Screen


def sweep(
    configs: Sequence[Config], *, by: str, screen: Screen, force: bool = False, allow: Sequence[str] = ()
) -> list[RunResult]:
    """Trains every config, selects the settings of each group on validation, and scores only those on test."""
    validate(configs, allow)
    with Crew(screen, trials=len(configs), allow=allow) as crew:
        if _nothing_to_select(configs, by):  # scored at once: later, each model would be built and validated again
            return crew.train(configs, score_test=True, force=force)
        results = crew.train(configs, score_test=False, force=force)
        return score_selected(crew, configs, results, by=by)


def _nothing_to_select(configs: Sequence[Config], by: str) -> bool:
    """Whether each row has one setting, which is selected whatever validation says of it."""
    rows: dict[str, set[str]] = {}
    for conf in configs:
        settings = {key: value for key, value in flat(identity(conf)).items() if key not in ("seed", "split.fold")}
        rows.setdefault(row_name(conf), set()).add(json.dumps(settings))
    return by == "loss" and all(len(settings) == 1 for settings in rows.values())


def score_selected(crew: Crew, configs: Sequence[Config], results: Sequence[RunResult], *, by: str) -> list[RunResult]:
    """The results, those of the settings that validation selected for each group scored on test."""
    chosen = {run.run_id for selected in select(results, by) for run in selected.runs if run.status == "done"}
    picked = [conf for conf, result in zip(configs, results, strict=True) if result.run_id in chosen]
    crew.screen.note(f"scoring {len(picked)} of {len(configs)} runs on test: the settings selected on validation")
    scored = {result.run_id: result for result in crew.train(picked, score_test=True)}
    return [scored.get(result.run_id, result) for result in results]
