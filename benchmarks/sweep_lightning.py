"""One run through Lightning, as the usual template project has it. A peer of sweep.py.

python benchmarks/sweep_lightning.py FOLDER SCENE EPOCHS OUT.json bce:0

A LightningModule with torchmetrics, a LightningDataModule with DataLoaders, a Trainer with a checkpoint of the best
epoch and a CSV logger.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sweep_plain import LEARNING_RATE, best_threshold, f1, floats, mean_loss, network
from sweep_scenes import SCENES, Scene, read_scene
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score


class Data(lightning.LightningDataModule):
    def __init__(self, scene: Scene, folder: Path) -> None:
        super().__init__()
        self.scene, self.folder = scene, folder

    def setup(self, stage: str) -> None:
        read = read_scene(self.scene, self.folder)
        self.data = {split: TensorDataset(*map(torch.from_numpy, arrays)) for split, arrays in read.items()}

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.data["train"], self.scene.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.data["val"], self.scene.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.data["test"], self.scene.batch_size)


class Model(lightning.LightningModule):
    def __init__(self, scene: Scene, folder: Path, loss: str) -> None:
        super().__init__()
        self.frozen, self.model = network(scene, folder)
        self.loss, self.threshold = loss, 0.0
        self.val_map = MultilabelAveragePrecision(scene.labels)
        self.test_map = MultilabelAveragePrecision(scene.labels)
        self.micro_f1 = MultilabelF1Score(scene.labels, average="micro")
        self.macro_f1 = MultilabelF1Score(scene.labels, average="macro")
        self.kept: dict[str, list[Tensor]] = {"scores": [], "targets": []}

    def forward(self, rows: Tensor) -> Tensor:
        self.frozen.eval()
        with torch.no_grad():
            features = self.frozen(floats(rows))
        return self.model(features)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        loss = mean_loss(self.loss, self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        logits = self(batch[0])
        self.val_map(logits.sigmoid(), batch[1].int())
        self.log("val_loss", mean_loss(self.loss, logits, batch[1]))
        self.log("val_map", self.val_map, on_epoch=True)

    def on_test_start(self) -> None:
        val = [(self(rows), truth) for rows, truth in self.trainer.datamodule.val_dataloader()]
        self.threshold = best_threshold(*map(torch.cat, zip(*val, strict=True)))

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        logits = self(batch[0])
        for name, metric in {"map": self.test_map, "micro_f1": self.micro_f1, "macro_f1": self.macro_f1}.items():
            metric(logits.sigmoid(), batch[1].int())
            self.log(name, metric, on_epoch=True)
        self.kept["scores"].append(logits)
        self.kept["targets"].append(batch[1])

    def on_test_end(self) -> None:
        scores, truth = map(torch.cat, self.kept.values())
        self.tuned = {f"{name}_tuned": value for name, value in f1((scores >= self.threshold).float(), truth).items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.model.parameters(), LEARNING_RATE, fused=True)


def main() -> None:
    folder, scene, out = Path(sys.argv[1]), SCENES[sys.argv[2]], Path(sys.argv[4])
    loss, seed = sys.argv[5].split(":")
    warnings.simplefilter("ignore")  # labels without positives, few workers
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(int(seed), verbose=False)
    logs = out.with_suffix("")
    best = ModelCheckpoint(logs, monitor="val_map", mode="max")
    trainer = lightning.Trainer(
        max_epochs=int(sys.argv[3]),
        accelerator="cpu",
        callbacks=[best],
        logger=CSVLogger(logs),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1000,
    )
    model, data = Model(scene, folder, loss), Data(scene, folder)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, ckpt_path="best", weights_only=False, verbose=False)
    out.write_text(json.dumps([{"loss": loss, "seed": int(seed), "first": True} | found | model.tuned]))


if __name__ == "__main__":
    main()
