import torch
from torch import nn

import taxo

images = torch.linspace(0, 1, 640).reshape(10, 1, 8, 8)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
step = taxo.compile("pgd_at", model, classes=10)
step((images - 0.5) / 0.25, torch.arange(10)).backward()
