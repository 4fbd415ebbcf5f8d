import torch

import taxo

model = torch.nn.Linear(64, 10)
step = taxo.compile("logpert", model, classes=10, samples=10**12)
x, y = torch.rand(32, 64), torch.zeros(32, dtype=torch.long)
index = torch.arange(32)
step(x, y, index).backward()
