"""A compiled step under Accelerate: prepared like a model, its loss goes back through `backward`."""

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import taxo

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images, labels = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16, torch.tensor(digits)
loader = DataLoader(TensorDataset(images[:1200], labels[:1200], torch.arange(1200)), 32, shuffle=True)

accelerator = Accelerator(gradient_accumulation_steps=2)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
step = taxo.compile("mixpert", model, classes=10, samples=1200)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
prepared, optimizer, loader = accelerator.prepare(step, optimizer, loader)

for _ in step.epochs(8):
    for x, y, index in loader:
        with accelerator.accumulate(prepared):
            accelerator.backward(prepared(x, y, index))
            accelerator.clip_grad_norm_(prepared.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

test = images[1200:].to(accelerator.device)
accuracy = (step.predict(test).argmax(1).cpu() == labels[1200:]).float().mean()
accelerator.print(f"test accuracy {accuracy:.1%}")
