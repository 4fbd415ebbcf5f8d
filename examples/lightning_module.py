"""A compiled step inside a Lightning module: `training_step` returns its loss."""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import taxo


class Digits(lightning.LightningModule):
    def __init__(self, method: str):
        super().__init__()
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
        self.step = taxo.compile(method, model, classes=10, samples=1200)

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        return self.step(*batch)

    def on_train_epoch_start(self):
        self.step.begin_epoch(self.current_epoch, of=self.trainer.max_epochs)

    def on_train_epoch_end(self):
        self.step.close_epoch()

    def validation_step(self, batch: list[torch.Tensor], number: int):
        x, y = batch
        self.log("accuracy", (self.step.predict(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(self.step.model.parameters(), lr=0.05, momentum=0.9)
        self.step.attach(optimizer)
        return optimizer


lightning.seed_everything(0, verbose=False)
pixels, digits = load_digits(return_X_y=True)
images, labels = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16, torch.tensor(digits)
train = TensorDataset(images[:1200], labels[:1200], torch.arange(1200))
test = TensorDataset(images[1200:], labels[1200:])
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
trainer = lightning.Trainer(max_epochs=8, gradient_clip_val=1.0, accelerator="auto", devices=1, **quiet)
trainer.fit(Digits("logpert"), DataLoader(train, 64, shuffle=True), DataLoader(test, 200))
print(f"test accuracy {trainer.callback_metrics['accuracy']:.1%}")
