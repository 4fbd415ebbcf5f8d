import torch

import taxo
from taxo.runtime.graphed import Graphed

device = "cuda" if torch.cuda.is_available() else "cpu"
model = torch.nn.Sequential()
model.layer1, model.layer2 = torch.nn.Linear(64, 64), torch.nn.Tanh()
model.fc = torch.nn.Linear(64, 10)
model.to(device)
step = taxo.compile("mixup", model, classes=10)
call = Graphed(step) if device == "cuda" else step
x, y = torch.rand(32, 64, device=device), torch.zeros(32, dtype=torch.long, device=device)
call(x, y).backward()
