import torch

import taxo

model = torch.nn.Linear(64, 10)
step = taxo.compile("adversarial_flow", model, classes=10)
x, y = torch.rand(32, 64), torch.zeros(32, dtype=torch.long)
step(x, y).backward()
