"""TensorBoard: `tensorboard --logdir runs` shows the curves, settings and figures of all runs beside each other."""

from collections.abc import Mapping
from pathlib import Path

from mllc.errors import ConfigError
from mllc.result import RunResult
from mllc.trackers.tracker import Run


class TensorBoard:
    """Writes event files, into the run's own folder or into one of its name in `dir`.

    Scalars by epoch: the columns of history.csv, `train_loss` as train/loss, `val_map` as val/map, the others as
    run/lr, run/seconds. At the end, at the best epoch: test/*, where the run was scored on test, and the monitored
    figure, as best/val_map. The settings, without the seed, are the run's hyperparameters: under HParams, runs that
    differ in the seed alone are one row, with the mean of their figures.

    dir     a folder; None: the run's own
    raises  ConfigError where the package `tensorboard` is not installed
    """

    def __init__(self, *, dir: str | None = None) -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"tracker=tensorboard cannot work ({error}); type: pip install tensorboard, or leave the tracker out"
            ) from None
        self.dir = dir

    def begin(self, run: Run) -> None:
        """Replaces what was written of the run before: writes the epochs that it has finished anew."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from torch.utils.tensorboard.writer import SummaryWriter

        folder = Path(self.dir) / run.folder.name if self.dir else run.folder
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        self.writer = SummaryWriter(str(folder), purge_step=1)  # a TensorBoard that is open forgets what it had read
        settings = {key: value for key, value in run.settings.items() if key != "seed" and value is not None}
        assert self.writer.file_writer is not None
        self.writer.file_writer.add_summary(hparams_pb(settings))
        for row in run.history():
            self._write(row)
        self.writer.flush()

    def epoch(self, row: Mapping[str, float]) -> None:
        """One point a column, which a TensorBoard that is open shows at its next look."""
        self._write(row)
        self.writer.flush()

    def end(self, result: RunResult | None) -> None:
        """The figures of the best epoch, if there is one."""
        if result and result.best_epoch:
            figures = {f"test/{name}": value for name, value in (result.test or {}).items()}
            figures[f"best/{result.monitor}"] = result.monitor_value
            for tag, value in figures.items():
                if value is not None:
                    self.writer.add_scalar(tag, value, result.best_epoch)
        self.writer.close()

    def _write(self, row: Mapping[str, float]) -> None:
        for column, value in row.items():
            if column != "epoch":
                split, _, name = column.partition("_")
                tag = f"{split}/{name}" if split in ("train", "val") else f"run/{column}"
                self.writer.add_scalar(tag, value, int(row["epoch"]))
