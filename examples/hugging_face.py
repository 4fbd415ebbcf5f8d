"""A Hugging Face model and Trainer, the loss a compiled step's; a small model, nothing is downloaded."""

import tempfile

import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    set_seed,
)

import taxo


class Digits(Dataset):
    def __init__(self, first: int, last: int):
        pixels, digits = load_digits(return_X_y=True)
        self.images = torch.tensor(pixels[first:last], dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
        self.labels = torch.tensor(digits[first:last])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"pixel_values": self.images[index], "labels": self.labels[index], "index": index}


class Epochs(TrainerCallback):
    """Tells a step how far the run is."""

    def __init__(self, step):
        self.step = step

    def on_epoch_begin(self, args, state, control, **rest):
        self.step.begin_epoch(round(state.epoch or 0), of=int(args.num_train_epochs))

    def on_epoch_end(self, args, state, control, **rest):
        self.step.close_epoch()


class Perturbed(Trainer):
    """A trainer whose loss is a step's; evaluation and saving are the model's own."""

    def __init__(self, method: str, **given):
        super().__init__(**given)
        data = self.train_dataset
        self.step = taxo.compile(method, self.model, classes=self.model.config.num_labels, samples=len(data))
        self.add_callback(Epochs(self.step))

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if not model.training:
            inputs.pop("index", None)
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return self.step(inputs["pixel_values"], inputs["labels"], inputs["index"])


set_seed(0)
sizes = {"image_size": 8, "patch_size": 2, "num_channels": 1, "hidden_size": 32, "intermediate_size": 64}
config = ViTConfig(**sizes, num_hidden_layers=2, num_attention_heads=2, num_labels=10)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=15,
        per_device_train_batch_size=32,
        learning_rate=5e-3,
        max_grad_norm=1.0,
        remove_unused_columns=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        label_names=["labels"],
    )
    trainer = Perturbed(
        "label_smoothing",
        model=ViTForImageClassification(config),
        args=arguments,
        train_dataset=Digits(0, 1200),
        eval_dataset=Digits(1200, 1797),
        compute_metrics=lambda found: {"accuracy": (found.predictions.argmax(1) == found.label_ids).mean()},
    )
    trainer.train()
    print(f"test accuracy {trainer.evaluate()['eval_accuracy']:.1%}")
