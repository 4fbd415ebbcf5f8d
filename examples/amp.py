"""Half precision with a gradient scaler, micro-batches and clipping: a step is a loss like any other.

On a machine with a CUDA device this runs there, in float16; else on the CPU, in bfloat16.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import taxo

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HALF = torch.float16 if DEVICE == "cuda" else torch.bfloat16
MICRO_BATCHES = 2

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels, dtype=torch.float32, device=DEVICE).reshape(-1, 1, 8, 8) / 16
labels = torch.tensor(digits, device=DEVICE)
train, test = torch.randperm(len(images)).split([1200, 597])

convolutions = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, padding=1), nn.ReLU()]
model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(64 * 16, 10)).to(DEVICE)
step = taxo.compile("pgd_at", model, classes=10, params={"eps": 0.05, "step": 0.02, "steps": 3}).to(DEVICE)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scaler = torch.amp.GradScaler(DEVICE, init_scale=2.0**10)

for _ in step.epochs(6):
    for index in torch.randperm(len(train)).split(64):
        for part in train[index].chunk(MICRO_BATCHES):
            with torch.autocast(DEVICE, HALF):
                loss = step(images[part], labels[part])
            scaler.scale(loss / MICRO_BATCHES).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

accuracy = (step.predict(images[test]).argmax(1) == labels[test]).float().mean()
print(f"test accuracy {accuracy:.1%}")
