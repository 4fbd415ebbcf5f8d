import torch

import taxo

model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
step = taxo.compile("adversarial_flow", model, classes=10)
x, y = torch.rand(32, 1, 8, 8), torch.zeros(32, dtype=torch.long)
step(x, y).backward()
