"""A compiled step in a loop of your own: MixPert on digits, three labels in ten of them wrong."""

import torch
from sklearn.datasets import load_digits
from torch import nn

import taxo

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
labels = torch.tensor(digits)
train, test = torch.randperm(len(images)).split([1200, 597])
given = labels[train].clone()
wrong = torch.rand(len(train)) < 0.3
given[wrong] = (given[wrong] + 1) % 10

convolutions = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, padding=1), nn.ReLU()]
model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(64 * 16, 10))
step = taxo.compile("mixpert", model, classes=10, samples=len(train), params={"pro": 0.45, "eta": 4})
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in step.epochs(15):
    for index in torch.randperm(len(train)).split(64):
        loss = step(images[train[index]], given[index], index)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    accuracy = (step.predict(images[test]).argmax(1) == labels[test]).float().mean()
    print(f"epoch {epoch + 1:2d}  test accuracy {accuracy:.1%}  {step.meters()['v']}")
